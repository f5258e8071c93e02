// Matrix products.
#include "reference/EvalContext.h"
#include "reference/Indexing.h"
#include "reference/Numbers.h"
#include "reference/Parallel.h"
#include "reference/Quantization.h"

namespace enfold::reference {
namespace {

/// c[m,n] += a[m,k] * b[k,n] over strided matrices; c is dense.
template <typename N> struct Product {
  const N *a, *b;
  N* c;
  int64_t m, n, k, aRow, aCol, bRow, bCol;

  void run() const {
    parallelFor(m, n * k, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i)
        for (int64_t p = 0; p < k; ++p) {
          const N factor = a[i * aRow + p * aCol];
          for (int64_t j = 0; j < n; ++j) c[i * n + j] += factor * b[p * bRow + j * bCol];
        }
    });
  }
};

/// The product numpy's matmul gives, over numbers of operands of these shapes.
template <typename N>
std::vector<N> matmul(const std::vector<N>& a, Shape as, const std::vector<N>& b, Shape bs) {
  if (as.size() == 1) as.insert(as.begin(), 1);
  if (bs.size() == 1) bs.push_back(1);
  const int64_t m = as[as.size() - 2], k = as.back(), n = bs.back();
  const Shape aBatch(as.begin(), as.end() - 2), bBatch(bs.begin(), bs.end() - 2);
  const Shape batch = *broadcastShapes(aBatch, bBatch);
  std::vector<N> c(static_cast<size_t>(numElements(batch) * m * n), N{});
  forEachOffset<2>(batch, {broadcastStrides(aBatch, batch), broadcastStrides(bBatch, batch)},
                   [&](int64_t i, const std::array<int64_t, 2>& at) {
                     Product<N>{a.data() + at[0] * m * k,
                                b.data() + at[1] * k * n,
                                c.data() + i * m * n,
                                m,
                                n,
                                k,
                                k,
                                1,
                                n,
                                1}
                         .run();
                   });
  return c;
}

/// Subtracts the zero point of A: one number or one a row.
void subtractRowZeros(std::vector<int64_t>& a, const Tensor& zero, int64_t rowLength) {
  for (size_t i = 0; i < a.size(); ++i)
    a[i] -= zero.asInt(static_cast<int64_t>(i) / rowLength % zero.numElements());
}

/// Subtracts the zero point of B: one number or one a column.
void subtractColumnZeros(std::vector<int64_t>& b, const Tensor& zero, int64_t columns) {
  for (size_t i = 0; i < b.size(); ++i)
    b[i] -= zero.asInt(static_cast<int64_t>(i) % columns % zero.numElements());
}

int64_t columnsOf(const Shape& b) { return b.size() > 1 ? b.back() : 1; }

} // namespace

Result<> evalMatMul(EvalContext& context) {
  return withNumber(
      context.elem(0),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        store(context.result(), matmul(load<N>(context.operand(0)), context.shape(0),
                                       load<N>(context.operand(1)), context.shape(1)));
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

Result<> evalMatMulInteger(EvalContext& context) {
  std::vector<int64_t> a = context.operand(0).toInts(), b = context.operand(1).toInts();
  if (context.has(2)) subtractRowZeros(a, context.operand(2), context.shape(0).back());
  if (context.has(3)) subtractColumnZeros(b, context.operand(3), columnsOf(context.shape(1)));
  const std::vector<int64_t> c = matmul(a, context.shape(0), b, context.shape(1));
  int32_t* out = context.result().mutableData<int32_t>();
  for (size_t i = 0; i < c.size(); ++i) out[i] = static_cast<int32_t>(c[i]);
  return {};
}

/// Operands: A, its scale and zero point, B, its scales and zero points, the result's.
Result<> evalQLinearMatMul(EvalContext& context) {
  const int64_t columns = columnsOf(context.shape(3));
  ENFOLD_TRY(const Requantization requantization,
             Requantization::of(context, static_cast<size_t>(columns)));
  std::vector<int64_t> a = context.operand(0).toInts(), b = context.operand(3).toInts();
  subtractRowZeros(a, context.operand(2), context.shape(0).back());
  subtractColumnZeros(b, context.operand(5), columns);
  const std::vector<int64_t> c = matmul(a, context.shape(0), b, context.shape(3));
  for (size_t i = 0; i < c.size(); ++i)
    requantization.store(context.result(), static_cast<int64_t>(i), c[i],
                         i % static_cast<size_t>(columns), i / static_cast<size_t>(columns));
  return {};
}

Result<> evalGemm(EvalContext& context) {
  const Shape& y = context.result().shape();
  const bool transA = context.integer("transA") != 0, transB = context.integer("transB") != 0;
  const int64_t m = y[0], n = y[1], k = context.shape(0)[transA ? 0 : 1];
  const double alpha = context.real("alpha"), beta = context.real("beta");
  return withNumber(
      context.elem(0),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        const std::vector<N> a = load<N>(context.operand(0)), b = load<N>(context.operand(1));
        std::vector<N> c(static_cast<size_t>(m * n), N{});
        Product<N>{a.data(),       b.data(),       c.data(),      m, n, k, transA ? 1 : k,
                   transA ? m : 1, transB ? 1 : n, transB ? k : 1}
            .run();
        const auto scaled = [](N value, double factor) {
          return factor == 1
                     ? value
                     : static_cast<N>(
                           static_cast<double>(
                               static_cast<std::conditional_t<std::is_integral_v<N>, int64_t, N>>(
                                   value)) *
                           factor);
        };
        for (N& value : c) value = scaled(value, alpha);
        if (context.has(2) && beta != 0) { // as in BLAS, C is not read then
          const std::vector<N> bias = load<N>(context.operand(2));
          forEachOffset<1>(y, {broadcastStrides(context.shape(2), y)},
                           [&](int64_t i, const std::array<int64_t, 1>& at) {
                             c[static_cast<size_t>(i)] +=
                                 scaled(bias[static_cast<size_t>(at[0])], beta);
                           });
        }
        store(context.result(), c);
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

} // namespace enfold::reference
