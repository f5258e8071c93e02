// ONNX TensorProto to Tensor and back: every element type, in all the ways ONNX stores them.
#pragma once

#include "ir/Tensor.h"
#include "onnx/ExternalData.h"
#include "onnx/Import.h"
#include "onnx/Proto.h"

namespace enfold::onnx {

/// Element type of an ONNX number, or an error that names strings and unknown numbers.
Result<ElemType> decodeElemType(int number);

/// Decodes a tensor. Takes its raw bytes out of `proto`, so that weights are never copied. Errors
/// do not name the tensor: the caller knows what it is for.
Result<Tensor> decodeTensor(pb::TensorProto& proto, ExternalData& external,
                            const ImportLimits& limits);

/// Whether the node is a constant whose only attribute is a tensor.
bool holdsTensor(const pb::NodeProto& node);

/// Leaves the name and the type.
void forgetNumbers(pb::TensorProto& proto);

/// A sparse tensor made dense.
Result<Tensor> decodeSparseTensor(pb::SparseTensorProto& proto, ExternalData& external,
                                  const ImportLimits& limits);

/// Bytes that the elements of a type take in an ONNX file, where narrow ones are packed.
size_t packedBytes(ElemType elem, int64_t count);

/// The elements as an ONNX file holds them.
std::string encodeBytes(const Tensor& tensor);

/// Name, type and shape.
void encodeHeader(const Tensor& tensor, const std::string& name, pb::TensorProto& proto);
/// The same with raw data.
void encodeTensor(const Tensor& tensor, const std::string& name, pb::TensorProto& proto);

} // namespace enfold::onnx
