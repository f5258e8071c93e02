// Scattering, one-hot codes, columns to images and Einstein sums, on numbers worked out by hand.
#include "Support.h"

namespace enfold::reference::test {
namespace {

TEST(Scatter, ElementsAlongAnAxis) {
  const Tensor data = floats({2, 3}, {1, 2, 3, 4, 5, 6});
  expectTensor(evaluated(OpKind::ScatterElements,
                         {data, ints({1, 2}, {2, -3}), floats({1, 2}, {10, 20})},
                         {{"axis", int64_t{1}}}),
               floats({2, 3}, {20, 2, 10, 4, 5, 6}));
  expectRefused(evaluated(OpKind::ScatterElements, {data, ints({1, 1}, {2}), floats({1, 1}, {0})}),
                "out of range");
}

TEST(Scatter, RepeatedTargetsFoldInOrder) {
  const Tensor data = floats({3}, {1, 2, 3}), indices = ints({3}, {1, 1, 0}),
               updates = floats({3}, {5, 7, -4});
  const auto folded = [&](const char* reduction) {
    return evaluated(OpKind::ScatterElements, {data, indices, updates},
                     {{"reduction", std::string(reduction)}});
  };
  expectTensor(folded("none"), floats({3}, {-4, 7, 3}));
  expectTensor(folded("add"), floats({3}, {-3, 14, 3}));
  expectTensor(folded("mul"), floats({3}, {-4, 70, 3}));
  expectTensor(folded("max"), floats({3}, {1, 7, 3}));
  expectTensor(folded("min"), floats({3}, {-4, 2, 3}));
  expectRefused(folded("median"), "median");
}

TEST(Scatter, SlicesOfSignedIntegers) {
  const Tensor data = tensor<int8_t>({3, 2}, {1, 2, 3, 4, 5, 6});
  const Tensor indices = ints({2, 1}, {2, -3}), updates = tensor<int8_t>({2, 2}, {-9, 9, 0, -1});
  expectTensor(
      evaluated(OpKind::ScatterND, {data, indices, updates}, {{"reduction", std::string("max")}}),
      tensor<int8_t>({3, 2}, {1, 2, 3, 4, 5, 9}));
  expectTensor(evaluated(OpKind::ScatterND, {data, indices, updates}),
               tensor<int8_t>({3, 2}, {0, -1, 3, 4, -9, 9}));
}

TEST(Scatter, ColumnsOverlapInTheImage) {
  // Two blocks of two pixels, one apart, in a row of three.
  expectTensor(evaluated(OpKind::Col2Im,
                         {floats({1, 2, 2}, {1, 2, 10, 20}), ints({2}, {1, 3}), ints({2}, {1, 2})}),
               floats({1, 1, 1, 3}, {1, 12, 20}));
}

TEST(Einsum, ProductsDiagonalsAndImpliedResults) {
  const Tensor a = floats({2, 2}, {1, 2, 3, 4}), b = floats({2, 2}, {5, 6, 7, 8});
  const auto sum = [&](const char* equation, const std::vector<Tensor>& operands) {
    return evaluated(OpKind::Einsum, operands, {{"equation", std::string(equation)}});
  };
  expectTensor(sum("ij, jk -> ik", {a, b}), floats({2, 2}, {19, 22, 43, 50}));
  expectTensor(sum("ij,jk", {a, b}), floats({2, 2}, {19, 22, 43, 50}));
  expectTensor(sum("ba", {a}), floats({2, 2}, {1, 3, 2, 4})); // labels in order: a transposition
  expectTensor(sum("ii->i", {a}), floats({2}, {1, 4}));
  expectTensor(sum("ii", {a}), floats({}, {5}));
  expectTensor(sum("...j->...", {a}), floats({2}, {3, 7}));
  expectTensor(sum("i,i", {ints({2}, {3, 4}), ints({2}, {5, 6})}), ints({}, {39}));
  expectRefused(sum("ij,jk->ix", {a, b}), "x");
}

} // namespace
} // namespace enfold::reference::test
