// The builders behind the table of networks, a line for each file.
#pragma once

#include "zoo/Zoo.h"

namespace enfold::zoo {

using Built = Result<std::unique_ptr<Graph>>;

// SmallCnn.cpp
Built cnnBatchNorm(const Shape& input);
Built cnnElu(const Shape& input);
Built cnnLayerNorm(const Shape& input);
Built cnnInstanceNorm(const Shape& input);
Built cnnGroupNorm(const Shape& input);
Built cnnTrainingBatchNorm(const Shape& input);
Built cnnLinearBatchNorm(const Shape& input);
Built cnn1d(const Shape& input);
Built cnn3d(const Shape& input);

// Resnet.cpp
Built resnet18(const Shape& input);
Built resnet50(const Shape& input);
Built resnet20Cifar(const Shape& input);
Built resnet20CifarElu(const Shape& input);

// Vgg.cpp
Built vgg16BatchNorm(const Shape& input);

// Densenet.cpp
Built densenet121(const Shape& input);

// Inception.cpp
Built googlenet(const Shape& input);
Built inceptionV3(const Shape& input);

// Mobilenet.cpp
Built mobilenetV2(const Shape& input);
Built mobilenetV3Large(const Shape& input);

// Efficientnet.cpp
Built efficientnetB0(const Shape& input);

// Squeezenet.cpp
Built squeezenet11(const Shape& input);

// Shufflenet.cpp
Built shufflenetV2(const Shape& input);

// Unet.cpp
Built unet(const Shape& input);

// Crnn.cpp
Built crnn(const Shape& input);

// YoloNms.cpp
Built yoloNms(const Shape& input);

} // namespace enfold::zoo
