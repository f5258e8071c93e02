// What the tests of this folder share: one op evaluated on tensors.
#pragma once

#include "reference/Reference.h"

#include <gtest/gtest.h>

namespace enfold::reference::test {

/// The first result of an op, or its error. An operand without a type is an absent one.
inline Result<Tensor> evaluated(OpKind kind, const std::vector<Tensor>& operands,
                                AttrMap attrs = {}) {
  Graph graph;
  OpSpec spec{.kind = kind, .operands = {}, .attrs = std::move(attrs)};
  std::vector<const Tensor*> tensors;
  for (const Tensor& tensor : operands) {
    const bool absent = tensor.elem() == ElemType::Undefined;
    spec.operands.push_back(absent ? nullptr : graph.constant(tensor, ""));
    tensors.push_back(absent ? nullptr : &tensor);
  }
  ENFOLD_TRY(const Op* op, graph.create(std::move(spec)));
  ENFOLD_TRY(std::vector<Tensor> results, evaluate(*op, tensors));
  return std::move(results[0]);
}

template <typename T> Tensor tensor(Shape shape, std::vector<T> values) {
  return Tensor::of<T>(std::move(shape), std::span<const T>(values));
}
inline Tensor floats(Shape shape, std::vector<float> values) {
  return tensor<float>(std::move(shape), std::move(values));
}
inline Tensor ints(Shape shape, std::vector<int64_t> values) {
  return tensor<int64_t>(std::move(shape), std::move(values));
}

/// The result must exist and be that tensor, to a few roundings.
inline void expectTensor(const Result<Tensor>& actual, const Tensor& expected) {
  ASSERT_TRUE(actual) << actual.error().str();
  ASSERT_EQ(actual->type().str(), expected.type().str());
  for (int64_t i = 0; i < expected.numElements(); ++i)
    EXPECT_NEAR(actual->asDouble(i), expected.asDouble(i), 1e-6) << "element " << i;
}

inline void expectRefused(const Result<Tensor>& actual, std::string_view word) {
  ASSERT_FALSE(actual);
  EXPECT_NE(actual.error().str().find(word), std::string::npos) << actual.error().str();
}

} // namespace enfold::reference::test
