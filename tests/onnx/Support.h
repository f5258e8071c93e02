// What the tests of this folder share: importing bytes, expecting errors, and a folder of one's
// own.
#pragma once

#include "ModelBytes.h"
#include "onnx/Import.h"
#include "reference/Reference.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <random>
#include <sys/stat.h>
#include <unistd.h>

namespace enfold {

/// How GoogleTest shows an element type.
inline void PrintTo(ElemType elem, std::ostream* out) { *out << name(elem); }

} // namespace enfold

namespace enfold::onnx::test {

inline Result<ImportedModel> importBytes(const std::string& bytes,
                                         const ImportOptions& options = {}) {
  return importModel(std::as_bytes(std::span(bytes)), options);
}

/// The graph of a model that must import.
inline ImportedModel imported(const std::string& bytes, const ImportOptions& options = {}) {
  auto model = importBytes(bytes, options);
  EXPECT_TRUE(model) << model.error().str();
  return model ? *std::move(model) : ImportedModel{std::make_unique<enfold::Graph>()};
}

/// The model must be refused, and the message must hold every one of the words.
inline void expectRefused(const std::string& bytes, std::initializer_list<std::string_view> words,
                          const ImportOptions& options = {}) {
  const auto model = importBytes(bytes, options);
  ASSERT_FALSE(model) << "it was imported";
  for (const std::string_view word : words)
    EXPECT_NE(model.error().str().find(word), std::string::npos)
        << "no '" << word << "' in: " << model.error().str();
}

/// The answer of the reference, which must exist.
inline std::vector<Tensor> answers(const enfold::Graph& graph, std::vector<Tensor> inputs) {
  auto results = reference::run(graph, inputs);
  EXPECT_TRUE(results) << results.error().str();
  return results ? *std::move(results) : std::vector<Tensor>(graph.outputs().size());
}

/// A folder that goes with its test.
class Folder {
public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "enfold-test-").string();
    name.append(6, 'X');
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path write(const std::string& name, std::string_view bytes) const {
    const auto file = path_ / name;
    std::ofstream(file, std::ios::binary) << bytes;
    return file;
  }
  /// Names of everything in it, sorted.
  std::vector<std::string> list() const {
    std::vector<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(path_))
      names.push_back(entry.path().filename().string());
    std::ranges::sort(names);
    return names;
  }

private:
  std::filesystem::path path_;
};

inline std::string rawFloats(const std::vector<float>& values) {
  return {reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float)};
}

} // namespace enfold::onnx::test
