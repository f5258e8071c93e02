// The table of operators.
#include "onnx/OperatorTable.h"

#include "onnx/Import.h"
#include "onnx/adapters/Adapters.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <algorithm>

namespace enfold::onnx {
namespace {

/// Same name, same form.
Result<Values> direct(Node& node) { return node.finish(); }

// clang-format off
constexpr OperatorRow kOnnxOperators[] = {
    {"Abs", 1, kNewestOpset, direct},
    {"Acos", 7, kNewestOpset, direct},
    {"Acosh", 9, kNewestOpset, direct},
    {"Add", 1, 6, axisBroadcast},
    {"Add", 7, kNewestOpset, direct},
    {"Affine", 1, kNewestOpset, affine},
    {"AffineGrid", 20, kNewestOpset, direct},
    {"And", 1, 6, axisBroadcast},
    {"And", 7, kNewestOpset, direct},
    {"ArgMax", 1, kNewestOpset, direct},
    {"ArgMin", 1, kNewestOpset, direct},
    {"Asin", 7, kNewestOpset, direct},
    {"Asinh", 9, kNewestOpset, direct},
    {"Atan", 7, kNewestOpset, direct},
    {"Atanh", 9, kNewestOpset, direct},
    {"Attention", 23, kNewestOpset, attention},
    {"AveragePool", 1, kNewestOpset, windowPadding},
    {"BatchNormalization", 1, 6, batchNormInTest},
    {"BatchNormalization", 7, 13, batchNormByOutputs},
    {"BatchNormalization", 14, kNewestOpset, direct},
    {"Bernoulli", 15, kNewestOpset, bernoulli},
    {"BitCast", 26, kNewestOpset, direct},
    {"BitShift", 11, kNewestOpset, direct},
    {"BitwiseAnd", 18, kNewestOpset, direct},
    {"BitwiseNot", 18, kNewestOpset, direct},
    {"BitwiseOr", 18, kNewestOpset, direct},
    {"BitwiseXor", 18, kNewestOpset, direct},
    {"BlackmanWindow", 17, kNewestOpset, blackmanWindow},
    {"Cast", 1, 5, castByName},
    {"Cast", 6, kNewestOpset, direct},
    {"CastLike", 15, kNewestOpset, direct},
    {"CausalConvWithState", 27, kNewestOpset, causalConvWithState},
    {"Ceil", 1, kNewestOpset, direct},
    {"Celu", 12, kNewestOpset, direct},
    {"CenterCropPad", 18, kNewestOpset, direct},
    {"Clip", 1, 10, clipBounds},
    {"Clip", 11, kNewestOpset, direct},
    {"Col2Im", 18, kNewestOpset, direct},
    {"Compress", 9, kNewestOpset, compress},
    {"Concat", 1, 3, concatOfChannels},
    {"Concat", 4, kNewestOpset, direct},
    {"Constant", 1, kNewestOpset, constantForms},
    {"ConstantOfShape", 9, kNewestOpset, direct},
    {"Conv", 1, kNewestOpset, windowPadding},
    {"ConvInteger", 10, kNewestOpset, windowPadding},
    {"ConvTranspose", 1, kNewestOpset, transposedWindowPadding},
    {"Cos", 7, kNewestOpset, direct},
    {"Cosh", 9, kNewestOpset, direct},
    {"Crop", 1, kNewestOpset, crop},
    {"CumProd", 26, kNewestOpset, direct},
    {"CumSum", 11, kNewestOpset, direct},
    {"DFT", 17, 19, dftOfAttributeAxis},
    {"DFT", 20, kNewestOpset, dft},
    {"DeformConv", 19, kNewestOpset, direct},
    {"DepthToSpace", 1, kNewestOpset, direct},
    {"DequantizeLinear", 10, kNewestOpset, direct},
    {"Det", 11, kNewestOpset, direct},
    {"Div", 1, 6, axisBroadcast},
    {"Div", 7, kNewestOpset, direct},
    {"Dropout", 1, 6, testDropout},
    {"Dropout", 7, 11, inferenceDropout},
    {"Dropout", 12, kNewestOpset, seededDropout},
    {"DynamicQuantizeLinear", 11, kNewestOpset, direct},
    {"Einsum", 12, kNewestOpset, direct},
    {"Elu", 1, kNewestOpset, direct},
    {"Equal", 1, 6, axisBroadcast},
    {"Equal", 7, kNewestOpset, direct},
    {"Erf", 9, kNewestOpset, direct},
    {"Exp", 1, kNewestOpset, direct},
    {"Expand", 8, kNewestOpset, direct},
    {"EyeLike", 9, kNewestOpset, direct},
    {"Flatten", 1, kNewestOpset, direct},
    {"Floor", 1, kNewestOpset, direct},
    {"GRU", 1, 6, recurrenceWithOutputFlag},
    {"GRU", 7, kNewestOpset, recurrence},
    {"Gather", 1, kNewestOpset, direct},
    {"GatherElements", 11, kNewestOpset, direct},
    {"GatherND", 11, kNewestOpset, direct},
    {"Gelu", 20, kNewestOpset, direct},
    {"Gemm", 1, 6, gemmBroadcast},
    {"Gemm", 7, kNewestOpset, direct},
    {"GlobalAveragePool", 1, kNewestOpset, direct},
    {"GlobalLpPool", 2, kNewestOpset, direct},
    {"GlobalMaxPool", 1, kNewestOpset, direct},
    {"Greater", 1, 6, axisBroadcast},
    {"Greater", 7, kNewestOpset, direct},
    {"GreaterOrEqual", 12, kNewestOpset, direct},
    {"GridSample", 16, 19, gridSampleModes},
    {"GridSample", 20, kNewestOpset, direct},
    {"GroupNormalization", 18, 20, groupNormPerGroup},
    {"GroupNormalization", 21, kNewestOpset, direct},
    {"HammingWindow", 17, kNewestOpset, hammingWindow},
    {"HannWindow", 17, kNewestOpset, hannWindow},
    {"HardSigmoid", 1, kNewestOpset, direct},
    {"HardSwish", 14, kNewestOpset, direct},
    {"Hardmax", 1, 12, flattenedSoftmax},
    {"Hardmax", 13, kNewestOpset, direct},
    {"Identity", 1, kNewestOpset, direct},
    {"ImageScaler", 1, kNewestOpset, imageScaler},
    {"InstanceNormalization", 1, kNewestOpset, direct},
    {"IsInf", 10, kNewestOpset, direct},
    {"IsNaN", 9, kNewestOpset, direct},
    {"LRN", 1, kNewestOpset, direct},
    {"LSTM", 1, 6, recurrenceWithOutputFlag},
    {"LSTM", 7, kNewestOpset, recurrence},
    {"LayerNormalization", 1, kNewestOpset, direct}, // before 17, as ONNX Runtime writes it
    {"LeakyRelu", 1, kNewestOpset, direct},
    {"Less", 1, 6, axisBroadcast},
    {"Less", 7, kNewestOpset, direct},
    {"LessOrEqual", 12, kNewestOpset, direct},
    {"LinearAttention", 27, kNewestOpset, linearAttention},
    {"Log", 1, kNewestOpset, direct},
    {"LogSoftmax", 1, 12, flattenedSoftmax},
    {"LogSoftmax", 13, kNewestOpset, direct},
    {"LpNormalization", 1, kNewestOpset, direct},
    {"LpPool", 2, kNewestOpset, windowPadding},
    {"MatMul", 1, kNewestOpset, direct},
    {"MatMulInteger", 10, kNewestOpset, direct},
    {"Max", 1, kNewestOpset, direct},
    {"MaxPool", 1, kNewestOpset, windowPadding},
    {"MaxRoiPool", 1, kNewestOpset, direct},
    {"MaxUnpool", 9, kNewestOpset, unpooling},
    {"Mean", 1, kNewestOpset, direct},
    {"MeanVarianceNormalization", 1, 8, experimentalMeanVarianceNorm},
    {"MeanVarianceNormalization", 9, kNewestOpset, direct},
    {"MelWeightMatrix", 17, kNewestOpset, melWeightMatrix},
    {"Min", 1, kNewestOpset, direct},
    {"Mish", 18, kNewestOpset, direct},
    {"Mod", 10, kNewestOpset, direct},
    {"Mul", 1, 6, axisBroadcast},
    {"Mul", 7, kNewestOpset, direct},
    {"Multinomial", 7, kNewestOpset, multinomial},
    {"Neg", 1, kNewestOpset, direct},
    {"NegativeLogLikelihoodLoss", 12, kNewestOpset, negativeLogLikelihoodLoss},
    {"NonMaxSuppression", 10, kNewestOpset, knownNonMaxSuppression},
    {"NonZero", 9, kNewestOpset, nonZero},
    {"Not", 1, kNewestOpset, direct},
    {"OneHot", 9, kNewestOpset, direct},
    {"Or", 1, 6, axisBroadcast},
    {"Or", 7, kNewestOpset, direct},
    {"PRelu", 1, 6, preluOfChannels},
    {"PRelu", 7, kNewestOpset, preluSlope},
    {"Pad", 1, 1, padPaddings},
    {"Pad", 2, 10, padOperands},
    {"Pad", 11, kNewestOpset, direct},
    {"ParametricSoftplus", 1, kNewestOpset, parametricSoftplus},
    {"Pow", 1, 6, axisBroadcast},
    {"Pow", 7, kNewestOpset, direct},
    {"QLinearConv", 10, kNewestOpset, windowPadding},
    {"QLinearMatMul", 10, kNewestOpset, direct},
    {"QuantizeLinear", 10, 22, quantizeInSingle},
    {"QuantizeLinear", 23, kNewestOpset, direct},
    {"RMSNormalization", 23, kNewestOpset, direct},
    {"RNN", 1, 6, recurrenceWithOutputFlag},
    {"RNN", 7, kNewestOpset, recurrence},
    {"RandomNormal", 1, kNewestOpset, randomNormal},
    {"RandomNormalLike", 1, kNewestOpset, randomNormalLike},
    {"RandomUniform", 1, kNewestOpset, randomUniform},
    {"RandomUniformLike", 1, kNewestOpset, randomUniformLike},
    {"Range", 11, kNewestOpset, direct},
    {"Reciprocal", 1, kNewestOpset, direct},
    {"ReduceL1", 1, 17, axesOperand},
    {"ReduceL1", 18, kNewestOpset, direct},
    {"ReduceL2", 1, 17, axesOperand},
    {"ReduceL2", 18, kNewestOpset, direct},
    {"ReduceLogSum", 1, 17, axesOperand},
    {"ReduceLogSum", 18, kNewestOpset, direct},
    {"ReduceLogSumExp", 1, 17, axesOperand},
    {"ReduceLogSumExp", 18, kNewestOpset, direct},
    {"ReduceMax", 1, 17, axesOperand},
    {"ReduceMax", 18, kNewestOpset, direct},
    {"ReduceMean", 1, 17, axesOperand},
    {"ReduceMean", 18, kNewestOpset, direct},
    {"ReduceMin", 1, 17, axesOperand},
    {"ReduceMin", 18, kNewestOpset, direct},
    {"ReduceProd", 1, 17, axesOperand},
    {"ReduceProd", 18, kNewestOpset, direct},
    {"ReduceSum", 1, 12, axesOperand},
    {"ReduceSum", 13, kNewestOpset, direct},
    {"ReduceSumSquare", 1, 17, axesOperand},
    {"ReduceSumSquare", 18, kNewestOpset, direct},
    {"Relu", 1, kNewestOpset, direct},
    {"Reshape", 1, 4, reshapeByAttribute},
    {"Reshape", 5, kNewestOpset, direct},
    {"Resize", 10, 10, upsampleScales},
    {"Resize", 11, kNewestOpset, resizeOperands},
    {"ReverseSequence", 10, kNewestOpset, direct},
    {"RoiAlign", 10, 15, roiAlignWithoutOffset},
    {"RoiAlign", 16, kNewestOpset, direct},
    {"RotaryEmbedding", 23, kNewestOpset, rotaryEmbedding},
    {"Round", 11, kNewestOpset, direct},
    {"STFT", 17, kNewestOpset, stft},
    {"Scale", 1, kNewestOpset, scaleByAttribute},
    {"ScaledTanh", 1, kNewestOpset, scaledTanh},
    {"Scatter", 9, 10, renamedScatter},
    {"ScatterElements", 11, kNewestOpset, direct},
    {"ScatterND", 11, kNewestOpset, direct},
    {"Selu", 1, 5, roundedSelu},
    {"Selu", 6, kNewestOpset, direct},
    {"Shape", 1, kNewestOpset, direct},
    {"Shrink", 9, kNewestOpset, direct},
    {"Sigmoid", 1, kNewestOpset, direct},
    {"Sign", 9, kNewestOpset, direct},
    {"SimplifiedLayerNormalization", 1, kNewestOpset, simplifiedLayerNorm}, // of ONNX Runtime
    {"Sin", 7, kNewestOpset, direct},
    {"Sinh", 9, kNewestOpset, direct},
    {"Size", 1, kNewestOpset, direct},
    {"Slice", 1, 9, sliceOperands},
    {"Slice", 10, kNewestOpset, direct},
    {"Softmax", 1, 12, flattenedSoftmax},
    {"Softmax", 13, kNewestOpset, direct},
    {"SoftmaxCrossEntropyLoss", 12, kNewestOpset, softmaxCrossEntropyLoss},
    {"Softplus", 1, kNewestOpset, direct},
    {"Softsign", 1, kNewestOpset, direct},
    {"SpaceToDepth", 1, kNewestOpset, direct},
    {"Split", 1, 17, splitSizes},
    {"Split", 18, kNewestOpset, direct},
    {"Sqrt", 1, kNewestOpset, direct},
    {"Squeeze", 1, 12, axesOperand},
    {"Squeeze", 13, kNewestOpset, direct},
    {"Sub", 1, 6, axisBroadcast},
    {"Sub", 7, kNewestOpset, direct},
    {"Sum", 1, kNewestOpset, direct},
    {"SwiGLU", 28, kNewestOpset, direct},
    {"Swish", 24, kNewestOpset, direct},
    {"Tan", 7, kNewestOpset, direct},
    {"Tanh", 1, kNewestOpset, direct},
    {"TensorScatter", 24, kNewestOpset, tensorScatter},
    {"TfIdfVectorizer", 9, kNewestOpset, tfIdfVectorizer},
    {"ThresholdedRelu", 1, kNewestOpset, direct},
    {"Tile", 6, kNewestOpset, direct},
    {"TopK", 1, 9, topkCount},
    {"TopK", 10, kNewestOpset, direct},
    {"Transpose", 1, kNewestOpset, direct},
    {"Trilu", 14, kNewestOpset, direct},
    {"Unique", 11, kNewestOpset, unique},
    {"Unsqueeze", 1, 12, axesOperand},
    {"Unsqueeze", 13, kNewestOpset, direct},
    {"Upsample", 7, 8, upsampleScalesAttr},
    {"Upsample", 9, 9, upsampleScales},
    {"Where", 9, kNewestOpset, direct},
    {"Xor", 1, 6, axisBroadcast},
    {"Xor", 7, kNewestOpset, direct},
};

constexpr OperatorRow kMlOperators[] = {
    {"ArrayFeatureExtractor", 1, kNewestOpset, arrayFeatureExtractor},
    {"Binarizer", 1, kNewestOpset, binarizer},
    {"FeatureVectorizer", 1, kNewestOpset, featureVectorizer},
    {"Imputer", 1, kNewestOpset, imputer},
    {"LabelEncoder", 2, kNewestOpset, labelEncoder},
    {"LinearClassifier", 1, kNewestOpset, linearClassifier},
    {"LinearRegressor", 1, kNewestOpset, linearRegressor},
    {"Normalizer", 1, kNewestOpset, normalizer},
    {"OneHotEncoder", 1, kNewestOpset, oneHotEncoder},
    {"Scaler", 1, kNewestOpset, scaler},
};

constexpr OperatorRow kMicrosoftOperators[] = {
    {"Attention", 1, 1, microsoftAttention},
    {"BiasGelu", 1, 1, biasGelu},
    {"DequantizeLinear", 1, 1, direct},
    {"DynamicQuantizeLSTM", 1, 1, dynamicQuantizeLSTM},
    {"DynamicQuantizeMatMul", 1, 1, dynamicQuantizeMatMul},
    {"FastGelu", 1, 1, fastGelu},
    {"FusedConv", 1, 1, fusedConv},
    {"FusedGemm", 1, 1, fusedGemm},
    {"FusedMatMul", 1, 1, fusedMatMul},
    {"Gelu", 1, 1, direct},
    {"GridSample", 1, 1, gridSampleModes},
    {"MatMulIntegerToFloat", 1, 1, matMulIntegerToFloat},
    {"MatMulNBits", 1, 1, matMulNBits},
    {"MultiHeadAttention", 1, 1, multiHeadAttention},
    {"NhwcMaxPool", 1, 1, nhwcMaxPool},
    {"Pad", 1, 1, direct},
    {"QAttention", 1, 1, quantizedAttention},
    {"QGemm", 1, 1, qgemm},
    {"QLinearAdd", 1, 1, qlinearAdd},
    {"QLinearAveragePool", 1, 1, qlinearAveragePool},
    {"QLinearConcat", 1, 1, qlinearConcat},
    {"QLinearConv", 1, 1, qlinearConvChannelsLast},
    {"QLinearGlobalAveragePool", 1, 1, qlinearGlobalAveragePool},
    {"QLinearLeakyRelu", 1, 1, qlinearLeakyRelu},
    {"QLinearMul", 1, 1, qlinearMul},
    {"QLinearReduceMean", 1, 1, qlinearReduceMean},
    {"QLinearSigmoid", 1, 1, qlinearSigmoid},
    {"QLinearSoftmax", 1, 1, qlinearSoftmax},
    {"QLinearWhere", 1, 1, qlinearWhere},
    {"QuantizeLinear", 1, 1, quantizeInSingle},
    {"QuickGelu", 1, 1, quickGelu},
    {"SkipLayerNormalization", 1, 1, skipLayerNorm},
    {"SkipSimplifiedLayerNormalization", 1, 1, skipLayerNorm},
    {"TransposeMatMul", 1, 1, fusedMatMul},
    {"Trilu", 1, 1, direct},
};

constexpr OperatorRow kNchwcOperators[] = {
    {"AveragePool", 1, 1, windowPadding},
    {"Conv", 1, 1, nchwcConv},
    {"GlobalAveragePool", 1, 1, direct},
    {"GlobalMaxPool", 1, 1, direct},
    {"MaxPool", 1, 1, windowPadding},
    {"ReorderInput", 1, 1, nchwcReorderInput},
    {"ReorderOutput", 1, 1, nchwcReorderOutput},
    {"Upsample", 1, 1, nchwcUpsample},
};
// clang-format on

/// Attributes newer than the operators that have them: an op that uses one must be written with
/// this opset. Only those younger than kLeastOpset matter.
struct AttributeAge {
  OpKind kind;
  std::string_view attr;
  int64_t since;
  std::string_view value = {}; ///< only this value of it is new
};
constexpr AttributeAge kAttributeAges[] = {
    {OpKind::AveragePool, "ceil_mode", 22}, // without windows that begin behind the image
    {OpKind::AveragePool, "dilations", 19},
    {OpKind::Cast, "round_mode", 24},
    {OpKind::Cast, "saturate", 19},
    {OpKind::CastLike, "round_mode", 24},
    {OpKind::CastLike, "saturate", 19},
    {OpKind::DequantizeLinear, "block_size", 21},
    {OpKind::DequantizeLinear, "output_dtype", 23},
    {OpKind::QuantizeLinear, "block_size", 21},
    {OpKind::QuantizeLinear, "output_dtype", 21},
    {OpKind::QuantizeLinear, "precision", 23},
    {OpKind::QuantizeLinear, "saturate", 19},
    {OpKind::LpPool, "ceil_mode", 22},
    {OpKind::MaxPool, "ceil_mode", 22},
    {OpKind::Pad, "mode", 19, "wrap"},
    {OpKind::Resize, "coordinate_transformation_mode", 19, "half_pixel_symmetric"},
    {OpKind::SpaceToDepth, "mode", 28},
};

/// Operators that took elements of a type later than the most.
struct ElemAge {
  OpKind kind;
  ElemType elem;
  int64_t since;
};
constexpr ElemAge kElemAges[] = {
    {OpKind::BitShift, ElemType::I16, 28},
    {OpKind::BitShift, ElemType::I32, 28},
    {OpKind::BitShift, ElemType::I64, 28},
    {OpKind::BitShift, ElemType::I8, 28},
    {OpKind::Celu, ElemType::BF16, 28},
    {OpKind::Celu, ElemType::F16, 28},
    {OpKind::Celu, ElemType::F64, 28},
    {OpKind::DequantizeLinear, ElemType::F16, 19},
    {OpKind::DequantizeLinear, ElemType::I16, 21},
    {OpKind::DequantizeLinear, ElemType::U16, 21},
    {OpKind::Einsum, ElemType::BF16, 28},
    {OpKind::IsInf, ElemType::F16, 20},
    {OpKind::OneHot, ElemType::BF16, 28},
    {OpKind::QLinearMatMul, ElemType::F16, 21},
    {OpKind::QuantizeLinear, ElemType::BF16, 23}, // divides in it since then
    {OpKind::QuantizeLinear, ElemType::F16, 23},
    {OpKind::QuantizeLinear, ElemType::I16, 21},
    {OpKind::QuantizeLinear, ElemType::U16, 21},
    {OpKind::Range, ElemType::BF16, 27},
    {OpKind::Range, ElemType::F16, 27},
    {OpKind::ReduceMax, ElemType::Bool, 20},
    {OpKind::ReduceMin, ElemType::Bool, 20},
    {OpKind::ReverseSequence, ElemType::BF16, 28},
    {OpKind::TopK, ElemType::BF16, 24},
};

/// The opset from which operators take elements of a type.
int64_t opsetOf(ElemType elem) {
  switch (elem) {
  case ElemType::BF16:
    return 22;
  case ElemType::F8E4M3FN:
  case ElemType::F8E4M3FNUZ:
  case ElemType::F8E5M2:
  case ElemType::F8E5M2FNUZ:
    return 22;
  case ElemType::U4:
  case ElemType::I4:
    return 21;
  case ElemType::F4E2M1:
    return 23;
  case ElemType::F8E8M0:
    return 24;
  case ElemType::U2:
  case ElemType::I2:
    return 25;
  default:
    return 0;
  }
}

std::span<const OperatorRow> rowsOf(std::span<const OperatorRow> table, std::string_view type) {
  const auto found = std::ranges::equal_range(table, type, {}, &OperatorRow::type);
  return {found.begin(), found.end()};
}

} // namespace

std::span<const OperatorRow> onnxOperators() { return kOnnxOperators; }
std::span<const OperatorRow> microsoftOperators() { return kMicrosoftOperators; }
std::span<const OperatorRow> mlOperators() { return kMlOperators; }
std::span<const OperatorRow> nchwcOperators() { return kNchwcOperators; }

Result<Adapter> findAdapter(std::string_view domain, std::string_view type, int64_t opset) {
  constexpr std::pair<std::string_view, std::span<const OperatorRow>> kDomains[] = {
      {"", kOnnxOperators},
      {"ai.onnx.ml", kMlOperators},
      {"com.microsoft", kMicrosoftOperators},
      {"com.microsoft.nchwc", kNchwcOperators}};
  const auto* table = std::ranges::find(kDomains, domain, [](const auto& d) { return d.first; });
  if (table == std::end(kDomains))
    return failure(ErrorCode::UnknownOperator,
                   fmt::format("the domain '{}' is not supported", domain));
  const auto rows = rowsOf(table->second, type);
  for (const OperatorRow& row : rows)
    if (opset >= row.from && opset <= row.to) return row.adapt;
  if (rows.empty()) return failure(ErrorCode::UnknownOperator, "enfold has no such operator");
  if (opset < rows.front().from)
    return failure(ErrorCode::UnsupportedOpset,
                   fmt::format("the operator exists from opset {} on", rows.front().from));
  return failure(ErrorCode::UnsupportedOpset,
                 fmt::format("the operator ended with opset {}", rows.back().to));
}

bool isStructural(std::string_view domain, std::string_view type) {
  constexpr std::string_view kOfOnnx[] = {"ConcatFromSequence",
                                          "If",
                                          "Loop",
                                          "Optional",
                                          "OptionalGetElement",
                                          "OptionalHasElement",
                                          "Scan",
                                          "SequenceAt",
                                          "SequenceConstruct",
                                          "SequenceEmpty",
                                          "SequenceErase",
                                          "SequenceInsert",
                                          "SequenceLength",
                                          "SequenceMap",
                                          "SplitToSequence"};
  if (domain == "ai.onnx.preview") return type == "FlexAttention";
  return domain.empty() && std::ranges::find(kOfOnnx, type) != std::end(kOfOnnx);
}

int64_t opsetOf(OpKind kind, const AttrMap& attrs, std::span<const ElemType> elems) {
  const auto rows = rowsOf(onnxOperators(), info(kind).onnxName);
  ENFOLD_CHECK(!rows.empty(), "every op of ONNX has a row");
  int64_t opset = std::max(kLeastOpset, rows.back().from);
  for (const AttributeAge& age : kAttributeAges) {
    const auto attr = attrs.find(age.attr);
    if (age.kind == kind && attr != attrs.end() &&
        (age.value.empty() || attr->second == AttrValue(std::string(age.value))))
      opset = std::max(opset, age.since);
  }
  for (const ElemType elem : elems) {
    opset = std::max(opset, opsetOf(elem));
    for (const ElemAge& age : kElemAges)
      if (age.kind == kind && age.elem == elem) opset = std::max(opset, age.since);
  }
  return opset;
}

} // namespace enfold::onnx
