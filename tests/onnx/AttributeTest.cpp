// Values of attributes that ONNX does not have: refused at import for every operator and opset, by
// node, attribute, value and what is allowed.
#include "Support.h"
#include "onnx/OperatorTable.h"

#include <fmt/format.h>

namespace enfold::onnx::test {
namespace {

Message attribute(const std::string& name, const AttrValue& value) {
  if (const auto* number = std::get_if<int64_t>(&value)) return intAttr(name, *number);
  if (const auto* number = std::get_if<float>(&value)) return floatAttr(name, *number);
  if (const auto* text = std::get_if<std::string>(&value)) return textAttr(name, *text);
  return intsAttr(name, std::get<std::vector<int64_t>>(value));
}

/// A value that the attribute may not have; none if it may have any.
std::optional<AttrValue> refusedValue(const AttrInfo& attr) {
  if (!attr.allowed.words.empty()) return std::string("nonsense");
  if (attr.kind == AttrKind::Float && std::isfinite(attr.allowed.least))
    return static_cast<float>(attr.allowed.least) - 1;
  int64_t number = 0;
  if (!attr.allowed.numbers.empty())
    number = std::ranges::max(attr.allowed.numbers) + 1;
  else if (std::isfinite(attr.allowed.least))
    number = static_cast<int64_t>(attr.allowed.least) - 1;
  else
    return std::nullopt;
  if (attr.kind == AttrKind::Int) return number;
  return std::vector<int64_t>{1, number};
}

/// A node called 'node' of f32 images.
std::string modelOf(const std::string& type, size_t inputs, std::vector<Message> attrs,
                    int64_t opset) {
  return model({.graph = {.inputs = {valueInfo("x", ElemType::F32, {1, 4, 4, 4})},
                          .outputs = {valueInfo("y", ElemType::F32)},
                          .nodes = {{type, Names(inputs, "x"), {"y"}, std::move(attrs), "node"}}},
                .opset = opset});
}

TEST(Attributes, OfEveryOperatorAreChecked) {
  int tried = 0;
  for (const OperatorRow& row : onnxOperators()) {
    const auto kind = opByOnnxName(row.type);
    if (!kind || row.to != kNewestOpset) continue;
    for (const AttrInfo& attr : info(*kind).attrs) {
      const auto value = refusedValue(attr);
      if (!value || attr.own) continue;
      std::vector<Message> attrs = {attribute(attr.name, *value)};
      for (const AttrInfo& other : info(*kind).attrs) {
        if (!other.required || other.name == attr.name) continue;
        if (other.kind == AttrKind::Int || other.kind == AttrKind::Type)
          attrs.push_back(intAttr(other.name, 1));
        if (other.kind == AttrKind::Ints) attrs.push_back(intsAttr(other.name, {1, 1}));
        if (other.kind == AttrKind::String)
          attrs.push_back(textAttr(other.name, other.allowed.words.front()));
      }
      SCOPED_TRACE(fmt::format("{} {}={}", row.type, attr.name, str(*value)));
      expectRefused(
          modelOf(std::string(row.type), info(*kind).minOperands(), std::move(attrs), kNewestOpset),
          {"'node'", "'" + attr.name + "'", str(*value), attr.allowed.str()});
      ++tried;
    }
  }
  EXPECT_GT(tried, 100);
}

TEST(Attributes, HintsAreThoseOfTheOperator) {
  const auto norm = [](Message attr) {
    return modelOf("LayerNormalization", 2, {std::move(attr)}, 17);
  };
  expectRefused(norm(intAttr("stash_type", 7)), {"node", "stash_type", "7", "1, 10, 11 or 16"});
  expectRefused(norm(textAttr("stash_type", "float")), {"node", "stash_type"});
  expectRefused(modelOf("Max", 2, {intAttr("stash_type", 1)}, 13), {"node", "stash_type", "lacks"});
  expectRefused(modelOf("Relu", 1, {intAttr("seed", 1)}, 13), {"node", "seed", "lacks"});
  expectRefused(modelOf("Relu", 1, {intAttr("consumed_inputs", 1)}, 5),
                {"node", "consumed_inputs"});
}

TEST(Attributes, DoNotStateWhatAnInputStates) {
  expectRefused(modelOf("Squeeze", 2, {intsAttr("axes", {0})}, 11), {"node", "input 1", "axes"});
  expectRefused(modelOf("Clip", 2, {floatAttr("min", 0)}, 8), {"node", "input 1", "min"});
  expectRefused(modelOf("TopK", 2, {intAttr("k", 1)}, 9), {"node", "input 1", "k"});
  expectRefused(modelOf("Pad", 3, {floatAttr("value", 1)}, 9), {"node", "input 2", "value"});
}

TEST(Attributes, OfOlderFormsAreChecked) {
  const struct {
    const char* type;
    int64_t opset;
    size_t inputs;
    std::vector<Message> attrs;
    std::string_view attr, value, allowed;
  } cases[] = {
      {"Upsample", 9, 2, {textAttr("mode", "cubic")}, "'mode'", "\"cubic\"", "nearest, linear"},
      {"Upsample",
       7,
       1,
       {textAttr("mode", "area"), floatsAttr("scales", {1, 1, 2, 2})},
       "'mode'",
       "\"area\"",
       "nearest, linear"},
      {"Resize", 10, 2, {textAttr("mode", "Linear")}, "'mode'", "\"Linear\"", "nearest, linear"},
      {"GridSample", 16, 2, {textAttr("mode", "cubic")}, "'mode'", "\"cubic\"", "bicubic"},
      {"GridSample",
       20,
       2,
       {textAttr("mode", "bilinear")},
       "'mode'",
       "\"bilinear\"",
       "linear, nearest or cubic"},
      {"GridSample",
       16,
       2,
       {textAttr("padding_mode", "wrap")},
       "'padding_mode'",
       "\"wrap\"",
       "zeros, border or reflection"},
      {"MaxPool",
       1,
       1,
       {textAttr("auto_pad", "SAME"), intsAttr("kernel_shape", {2, 2})},
       "'auto_pad'",
       "\"SAME\"",
       "SAME_LOWER"},
      {"Conv",
       11,
       2,
       {textAttr("auto_pad", "same_upper")},
       "'auto_pad'",
       "\"same_upper\"",
       "NOTSET, SAME_UPPER, SAME_LOWER or VALID"},
      {"ConvTranspose", 1, 2, {textAttr("auto_pad", "X")}, "'auto_pad'", "\"X\"", "VALID"},
      {"MaxPool",
       8,
       1,
       {intAttr("storage_order", 2), intsAttr("kernel_shape", {2, 2})},
       "'storage_order'",
       "2",
       "0 or 1"},
      {"LpPool",
       2,
       1,
       {intAttr("p", 0), intsAttr("kernel_shape", {2, 2})},
       "'p'",
       "0",
       "at least 1"},
      {"GlobalLpPool", 2, 1, {intAttr("p", -2)}, "'p'", "-2", "at least 1"},
      {"Pad",
       2,
       1,
       {textAttr("mode", "mirror"), intsAttr("pads", {0, 0, 0, 0, 0, 0, 0, 0})},
       "'mode'",
       "\"mirror\"",
       "constant, reflect"},
      {"DepthToSpace", 1, 1, {intAttr("blocksize", 0)}, "'blocksize'", "0", "from 1"},
      {"Add", 6, 2, {intAttr("broadcast", 2)}, "'broadcast'", "2", "0 or 1"},
      {"Gemm", 6, 2, {intAttr("transA", 3)}, "'transA'", "3", "0 or 1"},
      {"Dropout", 6, 1, {intAttr("is_test", -1)}, "'is_test'", "-1", "0 or 1"},
      {"BatchNormalization", 7, 5, {intAttr("spatial", 2)}, "'spatial'", "2", "0 or 1"},
      {"MeanVarianceNormalization",
       1,
       1,
       {intAttr("across_channels", 7)},
       "'across_channels'",
       "7",
       "0 or 1"},
      {"ReduceSum", 1, 1, {intAttr("keepdims", 2)}, "'keepdims'", "2", "0 or 1"},
      {"Cast", 1, 1, {textAttr("to", "quadruple")}, "'to'", "quadruple", "no element type"},
      {"NegativeLogLikelihoodLoss",
       13,
       2,
       {textAttr("reduction", "avg")},
       "'reduction'",
       "\"avg\"",
       "none, sum or mean"},
      {"Attention", 23, 3, {intAttr("is_causal", 2)}, "'is_causal'", "2", "0 or 1"},
      {"Attention",
       23,
       3,
       {intAttr("qk_matmul_output_mode", 4)},
       "'qk_matmul_output_mode'",
       "4",
       "from 0 to 3"},
      {"Resize",
       18,
       2,
       {textAttr("coordinate_transformation_mode", "tf_half_pixel_for_nn")},
       "'coordinate_transformation_mode'",
       "tf_half_pixel_for_nn",
       "half_pixel, "},
      {"RoiAlign", 10, 3, {textAttr("mode", "min")}, "'mode'", "\"min\"", "avg or max"},
      {"MaxUnpool",
       9,
       2,
       {intsAttr("kernel_shape", {0, 2})},
       "'kernel_shape'",
       "[0,2]",
       "at least 1"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(fmt::format("{} of opset {}, {}", c.type, c.opset, c.attr));
    expectRefused(modelOf(c.type, c.inputs, c.attrs, c.opset),
                  {"'node'", c.attr, c.value, c.allowed});
  }
}

} // namespace
} // namespace enfold::onnx::test
