// Col2Im: columns of blocks added up into an image, the reverse of the unfolding before a
// convolution by matrix product.
#include "reference/EvalContext.h"
#include "reference/Numbers.h"
#include "reference/WindowLoop.h"

namespace enfold::reference {

/// x [N, C*taps, columns] to y [N, C, image…].
Result<> evalCol2Im(EvalContext& context) {
  const Shape &x = context.shape(0), &y = context.result().shape();
  ENFOLD_TRY(const Window window, context.window(context.operand(2).toInts()));
  const Shape image = spatialOf(y);
  Shape columns;
  for (size_t i = 0; i < image.size(); ++i)
    columns.push_back((image[i] + window.padsBegin[i] + window.padsEnd[i] -
                       (window.kernel[i] - 1) * window.dilations[i] - 1) /
                          window.strides[i] +
                      1);
  const auto pixels = inputPixels({window, image, columns});
  return withNumber(
      context.elem(0),
      [&](auto tag) -> Result<> {
        using N = decltype(tag);
        const std::vector<N> from = load<N>(context.operand());
        std::vector<N> sums(static_cast<size_t>(context.result().numElements()), N{});
        const int64_t taps = numElements(window.kernel), size = numElements(image);
        for (int64_t nc = 0; nc < y[0] * y[1]; ++nc)
          for (int64_t t = 0; t < taps; ++t)
            for (int64_t l = 0; l < x[2]; ++l)
              if (const int64_t at = pixels[static_cast<size_t>(t)][static_cast<size_t>(l)];
                  at >= 0)
                sums[static_cast<size_t>(nc * size + at)] +=
                    from[static_cast<size_t>((nc * taps + t) * x[2] + l)];
        store(context.result(), sums);
        return {};
      },
      [&]() -> Result<> { return context.unsupportedElem(context.elem(0)); });
}

} // namespace enfold::reference
