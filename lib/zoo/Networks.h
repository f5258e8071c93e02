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

} // namespace enfold::zoo
