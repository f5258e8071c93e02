// Opens files, tells their kinds apart, and asks the model where a file does not say what it is.
#include "tools/InputFiles.h"

#include "onnx/Npz.h"
#include "onnx/RegularFile.h"
#include "onnx/TensorFile.h"
#include "support/ErrorCodes.h"
#include "tools/StandardInput.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

namespace enfold::tool {
namespace {

using Bytes = std::span<const std::byte>;

constexpr std::string_view kRaw = "raw:";

/// The error with the name of the file in front.
std::unexpected<Error> about(const std::string& path, Error error) {
  for (Diag& diag : error.diags) diag.message = path + ": " + diag.message;
  return std::unexpected(std::move(error));
}

/// The bytes of a file, or of standard input for "-".
class Contents {
public:
  static Result<Contents> of(const std::string& path) {
    Contents contents;
    if (path == "-") {
      ENFOLD_TRY(contents.text_, readStandardInput());
      return contents;
    }
    ENFOLD_TRY(const auto file, onnx::RegularFile::open(path));
    if (file.size() == 0) return failure(ErrorCode::DamagedFile, path + ": the file is empty");
    ENFOLD_TRY(contents.mapped_, file.map());
    contents.size_ = static_cast<size_t>(file.size());
    return contents;
  }
  Bytes bytes() const {
    return mapped_ ? Bytes(mapped_.get(), size_) : std::as_bytes(std::span(text_));
  }

private:
  std::string text_;
  std::shared_ptr<const std::byte> mapped_;
  size_t size_ = 0;
};

class Reader {
public:
  Reader(const PixelOptions& pixels, const ModelOptions& model) : pixels_(pixels), model_(model) {}

  Result<> read(const std::string& text) {
    const size_t equals = text.find('=');
    const bool isNamed = equals != std::string::npos && equals > 0;
    if (!isNamed && !text.ends_with(".npz"))
      return failure(ErrorCode::BadValue,
                     fmt::format("--input {}: expected NAME=FILE, or FILE.npz", text));
    const std::string name = isNamed ? text.substr(0, equals) : "";
    std::string path = isNamed ? text.substr(equals + 1) : text;
    const bool isRaw = path.starts_with(kRaw);
    if (isRaw) path.erase(0, kRaw.size());
    ENFOLD_TRY(const Contents contents, Contents::of(path));
    const auto done = isRaw      ? addRaw(name, contents.bytes())
                      : !isNamed ? addArchive(contents.bytes())
                                 : addFile(name, path, contents.bytes());
    return done ? done : about(path, done.error());
  }

  Result<std::vector<NamedTensor>> finish() {
    for (const auto& [name, images] : images_) {
      ENFOLD_TRY(const DeclaredShape declared, declaredShape(name));
      ENFOLD_TRY(Tensor batch, pixels_.asBatch(images, declared.shape));
      ENFOLD_RETURN_IF_ERROR(add(name, std::move(batch)));
    }
    return std::move(tensors_);
  }

private:
  /// What the model and --shape say of an input, with -1 for sizes that are open.
  struct DeclaredShape {
    ElemType elem;
    Shape shape;
  };

  Result<> add(const std::string& name, Tensor tensor) {
    if (std::ranges::find(tensors_, name, &NamedTensor::name) != tensors_.end()) {
      ENFOLD_TRY(const onnx::Signature* model, signature());
      const auto declared = std::ranges::find(model->inputs, name, &onnx::DeclaredTensor::name);
      if (declared == model->inputs.end() || !declared->type.isSequence())
        return failure(ErrorCode::BadValue, fmt::format("--input: '{}' is given twice", name));
    }
    tensors_.push_back({name, std::move(tensor)});
    return {};
  }

  Result<> addArchive(Bytes bytes) {
    ENFOLD_TRY(std::vector<NamedTensor> arrays, onnx::decodeNpz(bytes));
    for (auto& [name, tensor] : arrays) ENFOLD_RETURN_IF_ERROR(add(name, std::move(tensor)));
    return {};
  }

  Result<> addFile(const std::string& name, const std::string& path, Bytes bytes) {
    if (isImage(bytes)) return addImage(name, bytes);
    if (path.ends_with(".npz")) {
      ENFOLD_TRY(std::vector<NamedTensor> arrays, onnx::decodeNpz(bytes));
      const auto array = std::ranges::find(arrays, name, &NamedTensor::name);
      if (array == arrays.end())
        return failure(ErrorCode::NoSuchFile, fmt::format("holds no array '{}'", name));
      return add(name, std::move(array->tensor));
    }
    ENFOLD_TRY(NamedTensor file,
               onnx::decodeTensorFile(bytes, std::filesystem::path(path).parent_path()));
    return add(name, std::move(file.tensor));
  }

  Result<> addImage(const std::string& name, Bytes bytes) {
    ENFOLD_TRY(const DeclaredShape declared, declaredShape(name));
    const Shape& shape = declared.shape;
    if (shape.size() != 3 && shape.size() != 4)
      return failure(ErrorCode::WrongInput,
                     fmt::format("an image does not fit an input of shape {}", str(shape)));
    if (!isFloat(declared.elem) && declared.elem != ElemType::U8)
      return failure(ErrorCode::WrongInput, fmt::format("an image does not fit an input of {}",
                                                        enfold::name(declared.elem)));
    int64_t channels = shape[pixels_.channelAxis(shape)];
    if (channels < 0) channels = 3;
    if (channels != 1 && channels != 3 && channels != 4)
      return failure(ErrorCode::WrongInput,
                     fmt::format("images have 1, 3 or 4 channels, and the input has {}{}", channels,
                                 pixels_.layout.empty() ? " (see --layout)" : ""));
    ENFOLD_TRY(Image image, decodeImage(bytes, channels));
    const auto known = std::ranges::find(images_, name, &NamedImages::first);
    if (known == images_.end())
      images_.push_back({name, {std::move(image)}});
    else
      known->second.push_back(std::move(image));
    return {};
  }

  Result<> addRaw(const std::string& name, Bytes bytes) {
    ENFOLD_TRY(DeclaredShape declared, declaredShape(name));
    int64_t known = 1;
    for (const int64_t size : declared.shape)
      if (size >= 0) known *= size;
    const auto open = std::ranges::count(declared.shape, -1);
    const auto row = static_cast<size_t>(known) * byteSize(declared.elem);
    if (open > 1 || (open == 1 && row == 0))
      return failure(ErrorCode::OpenShape,
                     fmt::format("raw numbers do not tell their shape: state it, as in --shape "
                                 "{}=1x3x224x224",
                                 name));
    if (open == 1 && bytes.size() % row == 0)
      *std::ranges::find(declared.shape, -1) = static_cast<int64_t>(bytes.size() / row);
    if (std::ranges::count(declared.shape, -1) == 1 ||
        bytes.size() != static_cast<size_t>(numElements(declared.shape)) * byteSize(declared.elem))
      return failure(ErrorCode::WrongInput,
                     fmt::format("holds {} bytes, which are no {}{}", bytes.size(),
                                 enfold::name(declared.elem), str(declared.shape)));
    Tensor tensor(declared.elem, declared.shape);
    std::memcpy(tensor.mutableBytes(), bytes.data(), bytes.size());
    return add(name, std::move(tensor));
  }

  Result<const onnx::Signature*> signature() {
    if (!signature_) {
      ENFOLD_TRY(const LoadOptions load, model_.loadOptions());
      ENFOLD_TRY(const ModelSource source, model_.source());
      ENFOLD_TRY(signature_, loadSignature(source, load));
    }
    return &*signature_;
  }

  Result<DeclaredShape> declaredShape(const std::string& name) {
    ENFOLD_TRY(const LoadOptions load, model_.loadOptions());
    ENFOLD_RETURN_IF_ERROR(signature());
    for (const auto* tensors : {&signature_->inputs, &signature_->overridable})
      for (const onnx::DeclaredTensor& input : *tensors) {
        if (input.name != name) continue;
        const auto given = load.shapes.find(name);
        if (given != load.shapes.end()) return DeclaredShape{input.type.elem, given->second};
        if (!input.type.dims)
          return failure(
              ErrorCode::OpenShape,
              fmt::format("input '{0}' has no shape: state it, as in --shape {0}=1x3x224x224",
                          name));
        DeclaredShape declared{input.type.elem, {}};
        for (const auto& dim : *input.type.dims) {
          const auto size = load.dims.find(dim.symbol);
          declared.shape.push_back(dim.size                  ? *dim.size
                                   : size != load.dims.end() ? size->second
                                                             : -1);
        }
        return declared;
      }
    return failure(ErrorCode::UnknownInput, fmt::format("the model has no input '{}'", name));
  }

  using NamedImages = std::pair<std::string, std::vector<Image>>;

  const PixelOptions& pixels_;
  const ModelOptions& model_;
  std::optional<onnx::Signature> signature_;
  std::vector<NamedTensor> tensors_;
  std::vector<NamedImages> images_;
};

} // namespace

Result<std::vector<NamedTensor>> readInputFiles(const std::vector<std::string>& texts,
                                                const PixelOptions& pixels,
                                                const ModelOptions& model) {
  Reader reader(pixels, model);
  for (const std::string& text : texts) ENFOLD_RETURN_IF_ERROR(reader.read(text));
  return reader.finish();
}

} // namespace enfold::tool
