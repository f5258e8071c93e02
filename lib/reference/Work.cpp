// Estimates by counting elements and products.
#include "reference/Work.h"

#include <algorithm>

namespace enfold::reference {
namespace {

constexpr double kSecondsPerElement = 20e-9;
constexpr double kSecondsPerProduct = 4e-9;

double elementsOf(const Value* value) {
  return value ? static_cast<double>(value->type().numElements()) : 0;
}

/// Size of an axis counted from the end.
double sizeFromEnd(const Value* value, size_t place) {
  const Shape& shape = value->shape();
  return shape.size() < place ? 1 : static_cast<double>(shape[shape.size() - place]);
}

double productOf(const std::vector<int64_t>& sizes) {
  double product = 1;
  for (const int64_t size : sizes) product *= static_cast<double>(std::max<int64_t>(size, 1));
  return product;
}

/// Multiplications for one element of the result, as far as the operator has many.
double productsPerElement(const Op& op) {
  switch (op.kind()) {
  case OpKind::Conv:
  case OpKind::ConvInteger:
  case OpKind::DeformConv: {
    const Value* weights = op.operand(1);
    return elementsOf(weights) / std::max<double>(1, static_cast<double>(weights->shape()[0]));
  }
  case OpKind::QLinearConv: {
    const Value* weights = op.operand(3);
    return elementsOf(weights) / std::max<double>(1, static_cast<double>(weights->shape()[0]));
  }
  case OpKind::ConvTranspose:
    return elementsOf(op.operand(1)) * elementsOf(op.operand(0)) /
           std::max<double>(1, sizeFromEnd(op.operand(0), op.operand(0)->shape().size() - 1) *
                                   elementsOf(op.result()));
  case OpKind::Gemm:
    return sizeFromEnd(op.operand(0), op.integer("transA") != 0 ? 2 : 1);
  case OpKind::MatMul:
  case OpKind::MatMulInteger:
  case OpKind::QLinearMatMul:
    return sizeFromEnd(op.operand(0), 1);
  case OpKind::Einsum:
    return std::max(elementsOf(op.operand(0)), elementsOf(op.operand(1))) /
           std::max<double>(1, elementsOf(op.result())) * 8;
  case OpKind::AveragePool:
  case OpKind::MaxPool:
  case OpKind::LpPool:
    return productOf(op.ints("kernel_shape"));
  case OpKind::Resize:
  case OpKind::GridSample:
    return 16;
  case OpKind::RoiAlign:
    return 64;
  default:
    return 0;
  }
}

} // namespace

double secondsOf(const Op& op) {
  double elements = 0, products = 0;
  for (size_t i = 0; i < op.numResults(); ++i) elements += elementsOf(op.result(i));
  products = elementsOf(op.result()) * productsPerElement(op);
  // What gathers or slices reads little of what it is given; weights are counted as products.
  const bool readsAll = op.kind() >= OpKind::ReduceL1 && op.kind() <= OpKind::TopK;
  if (readsAll) elements = std::max(elements, elementsOf(op.operand(0)));
  if (op.kind() >= OpKind::LSTM && op.kind() <= OpKind::RNN)
    products = elementsOf(op.operand(1)) * sizeFromEnd(op.operand(0), 3) *
               sizeFromEnd(op.operand(0), 2) * 2;
  return elements * kSecondsPerElement + products * kSecondsPerProduct;
}

double secondsOf(const Graph& graph) {
  double seconds = 0;
  for (const auto& op : graph.ops()) seconds += secondsOf(*op);
  return seconds;
}

} // namespace enfold::reference
