// The adapters, by the file they are in. Each takes a node in the form of an older opset (or of
// another domain) and emits ops of the newest form; the table says which versions.
#pragma once

#include "onnx/Node.h"

namespace enfold::onnx {

// Operands.cpp: what used to be an attribute is now an operand.
Result<Values> axesOperand(Node& node);
Result<Values> clipBounds(Node& node);
Result<Values> padOperands(Node& node);
Result<Values> sliceOperands(Node& node);
Result<Values> splitSizes(Node& node);
Result<Values> topkCount(Node& node);

// Windows.cpp: padding made explicit.
Result<Values> windowPadding(Node& node);
Result<Values> transposedWindowPadding(Node& node);
Result<Values> unpooling(Node& node);

// Normalization.cpp
Result<Values> batchNormByOutputs(Node& node);
Result<Values> groupNormPerGroup(Node& node);
Result<Values> experimentalMeanVarianceNorm(Node& node);
Result<Values> flattenedSoftmax(Node& node);

// Sampling.cpp
Result<Values> upsampleScalesAttr(Node& node);
Result<Values> upsampleScales(Node& node);
Result<Values> resizeOperands(Node& node);
Result<Values> gridSampleModes(Node& node);
Result<Values> roiAlignWithoutOffset(Node& node);

// Simple.cpp: constants, renamed operators, small differences.
Result<Values> constantForms(Node& node);
Result<Values> inferenceDropout(Node& node);
Result<Values> preluSlope(Node& node);
Result<Values> quantizeInSingle(Node& node);
Result<Values> renamedScatter(Node& node);
Result<Values> seededDropout(Node& node);

// DataSized.cpp: operators whose results have sizes that depend on data, where that is known.
Result<Values> compress(Node& node);
Result<Values> knownNonMaxSuppression(Node& node);
Result<Values> nonZero(Node& node);
Result<Values> unique(Node& node);

// Attention.cpp and Losses.cpp: operators that ONNX defines by others, taken apart.
Result<Values> attention(Node& node);
Result<Values> negativeLogLikelihoodLoss(Node& node);
Result<Values> softmaxCrossEntropyLoss(Node& node);

// Signal.cpp: windows, Fourier transforms and what goes with them.
Result<Values> blackmanWindow(Node& node);
Result<Values> dft(Node& node);
Result<Values> dftOfAttributeAxis(Node& node);
Result<Values> hammingWindow(Node& node);
Result<Values> hannWindow(Node& node);
Result<Values> melWeightMatrix(Node& node);
Result<Values> stft(Node& node);

// Random.cpp: random numbers, which are constants.
Result<Values> bernoulli(Node& node);
Result<Values> multinomial(Node& node);
Result<Values> randomNormal(Node& node);
Result<Values> randomNormalLike(Node& node);
Result<Values> randomUniform(Node& node);
Result<Values> randomUniformLike(Node& node);

// Sequence.cpp: operators on sequences of tokens.
Result<Values> causalConvWithState(Node& node);
Result<Values> linearAttention(Node& node);
Result<Values> rotaryEmbedding(Node& node);
Result<Values> tensorScatter(Node& node);

// NGrams.cpp
Result<Values> tfIdfVectorizer(Node& node);

// MachineLearning.cpp: operators of the domain ai.onnx.ml.
Result<Values> arrayFeatureExtractor(Node& node);
Result<Values> binarizer(Node& node);
Result<Values> featureVectorizer(Node& node);
Result<Values> imputer(Node& node);
Result<Values> labelEncoder(Node& node);
Result<Values> linearClassifier(Node& node);
Result<Values> linearRegressor(Node& node);
Result<Values> normalizer(Node& node);
Result<Values> oneHotEncoder(Node& node);
Result<Values> scaler(Node& node);

// Recurrence.cpp
Result<Values> dynamicQuantizeLSTM(Node& node);
Result<Values> recurrence(Node& node);
Result<Values> recurrenceWithOutputFlag(Node& node);

// Early.cpp: forms that opsets before 7 had.
Result<Values> axisBroadcast(Node& node);
Result<Values> batchNormInTest(Node& node);
Result<Values> castByName(Node& node);
Result<Values> concatOfChannels(Node& node);
Result<Values> gemmBroadcast(Node& node);
Result<Values> padPaddings(Node& node);
Result<Values> preluOfChannels(Node& node);
Result<Values> reshapeByAttribute(Node& node);
Result<Values> roundedSelu(Node& node);
Result<Values> testDropout(Node& node);

// Experimental.cpp: operators of early releases that never became official.
Result<Values> affine(Node& node);
Result<Values> crop(Node& node);
Result<Values> imageScaler(Node& node);
Result<Values> parametricSoftplus(Node& node);
Result<Values> scaleByAttribute(Node& node);
Result<Values> scaledTanh(Node& node);

// Microsoft.cpp, MicrosoftAttention.cpp and MicrosoftQuantized.cpp: operators of the domain
// com.microsoft, and those that ONNX Runtime added to ONNX's own, taken apart.
Result<Values> biasGelu(Node& node);
Result<Values> fastGelu(Node& node);
Result<Values> fusedConv(Node& node);
Result<Values> fusedGemm(Node& node);
Result<Values> fusedMatMul(Node& node);
Result<Values> nhwcMaxPool(Node& node);
Result<Values> quickGelu(Node& node);
Result<Values> simplifiedLayerNorm(Node& node);
Result<Values> skipLayerNorm(Node& node);
Result<Values> microsoftAttention(Node& node);
Result<Values> multiHeadAttention(Node& node);
Result<Values> quantizedAttention(Node& node);
Result<Values> dynamicQuantizeMatMul(Node& node);
Result<Values> matMulIntegerToFloat(Node& node);
Result<Values> matMulNBits(Node& node);
Result<Values> qgemm(Node& node);
Result<Values> qlinearAdd(Node& node);
Result<Values> qlinearAveragePool(Node& node);
Result<Values> qlinearConcat(Node& node);
Result<Values> qlinearConvChannelsLast(Node& node);
Result<Values> qlinearGlobalAveragePool(Node& node);
Result<Values> qlinearLeakyRelu(Node& node);
Result<Values> qlinearMul(Node& node);
Result<Values> qlinearReduceMean(Node& node);
Result<Values> qlinearSigmoid(Node& node);
Result<Values> qlinearSoftmax(Node& node);
Result<Values> qlinearWhere(Node& node);

// Nchwc.cpp: operators of the domain com.microsoft.nchwc.
Result<Values> nchwcConv(Node& node);
Result<Values> nchwcReorderInput(Node& node);
Result<Values> nchwcReorderOutput(Node& node);
Result<Values> nchwcUpsample(Node& node);

} // namespace enfold::onnx
