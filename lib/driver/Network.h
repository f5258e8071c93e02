// A model that any number of threads run, on inputs of any sizes it allows: it is compiled for each
// combination of sizes it meets, and the latest programs are kept.
#pragma once

#include "driver/CompileModel.h"
#include "driver/SessionPool.h"
#include "driver/Stage.h"

#include <atomic>
#include <list>

namespace enfold {

class Network {
public:
  struct Options {
    LoadOptions load; ///< `samples` is filled in
    CompileOptions compile;
    Session::Options session;
    int streams = 1;      ///< calls at the same time that have all threads of `session` each
    size_t capacity = 64; ///< how many programs are kept, at least one
    std::optional<CompileCache> cache = {}; ///< for programs, and for what those of any sizes share
  };

  /// Reads what the model declares; compiles it if no size is open.
  static Result<std::unique_ptr<Network>> open(ModelSource model, Options options);

  /// The network of a shared library that was compiled ahead of time. It has the programs that it
  /// was compiled to, and cannot be loaded as a model.
  static Result<std::unique_ptr<Network>> openLibrary(const std::filesystem::path& library,
                                                      Options options);

  const onnx::Signature& signature() const { return signature_; }
  const ModelSource& model() const { return model_; }
  const Options& options() const { return options_; }
  bool isLibrary() const { return isLibrary_; }

  /// The model compiled for inputs of certain types, some perhaps of certain contents.
  struct Program {
    std::unique_ptr<SessionPool> sessions; ///< null if staged
    std::shared_ptr<Stage> stage;          ///< of a model in which data decide sizes, else null
    std::map<std::string, Tensor> inputDefaults, boundInputs; ///< see LoadedModel
    std::vector<std::string> notes;

    const Executable& executable() const { return *sessions->executable(); }
    bool isStaged() const { return stage != nullptr; }
  };

  /// The program for inputs like these, compiled unless it is among the latest. Inputs are named,
  /// or all nameless and in the order of the model; those with a default may be left out. A
  /// sequence is given as its tensors, all under its name.
  Result<std::shared_ptr<const Program>> programFor(std::span<const NamedTensor> inputs);

  /// The model for inputs like these, for those who investigate how it is compiled.
  /// With `firstPart`, the part of it in front of what data decide, if they do.
  Result<LoadedModel> load(std::span<const NamedTensor> inputs, bool firstPart = false) const;

  /// A run's outputs, and the program that gave them.
  struct Run {
    std::vector<Tensor> outputs;    ///< of a sequence, its tensors
    std::vector<std::string> names; ///< of the output to which each belongs
    std::shared_ptr<const Program> program;
  };
  Result<Run> run(std::span<const NamedTensor> inputs, const enfold_run_limits* limits = nullptr);
  struct Output {
    std::string name;
    onnx::Datum value;
  };
  /// A run of a program for inputs like these.
  Result<std::vector<Output>> run(const Program& program, std::span<const NamedTensor> inputs,
                                  const enfold_run_limits* limits = nullptr) const;

  /// How many programs are kept.
  size_t size() const;
  /// How often the model has been compiled or taken from the cache.
  int64_t compilations() const { return *compilations_; }
  /// How many kernels have been compiled that the programs share.
  int64_t kernelCompilations() const;
  /// Bytes of constants that the programs share, equal ones counted once.
  int64_t constantBytes() const;

private:
  /// What decides a program: the types of inputs that leave a size open or that need not be given,
  /// the contents of those that decide shapes.
  struct Key {
    struct Input {
      std::string name;
      Type type;
      std::optional<Tensor> contents;
      bool operator==(const Input&) const = default;
    };
    std::vector<Input> inputs;
    bool operator==(const Key&) const = default;
  };
  struct Kept {
    Key key;
    std::shared_ptr<const Program> program;
  };

  Network(ModelSource model, Options options)
      : model_(std::move(model)), options_(std::move(options)) {}

  std::vector<NamedTensor> named(std::span<const NamedTensor> inputs) const;
  std::shared_ptr<const Program> find(std::span<const NamedTensor> inputs);
  std::shared_ptr<const Program> latest() const;
  void touch(std::list<Kept>::iterator one);
  Result<std::shared_ptr<const Program>> compileFor(std::span<const NamedTensor> inputs);
  Result<> readModelAhead();
  Result<> compileForOthers(std::span<const NamedTensor> inputs, bool compiles);
  void takeTemplates(std::vector<std::string>& notes);
  void storeTemplates(std::vector<std::string>& notes);
  Result<std::shared_ptr<const Program>> keep(CompiledModel compiled,
                                              std::span<const NamedTensor> inputs);
  std::set<std::string> bound() const;
  std::vector<std::string> sizesOfLibrary() const;
  /// `bound` are the inputs whose contents decide shapes, as far as they are known.
  Key keyOf(std::span<const NamedTensor> inputs, const std::set<std::string>& bound) const;

  ModelSource model_;
  Options options_;
  onnx::Signature signature_;
  bool isLibrary_ = false;

  std::mutex compiling_;          ///< held while a program is made, so that it is made once
  std::string templatesKey_;      ///< in the cache; empty: they are not kept there
  uint64_t templatesVersion_ = 0; ///< of the file that was read or written last
  bool isCut_ = false;            ///< data decided types when a program was made last
  mutable std::mutex mutex_;      ///< guards what follows
  std::list<Kept> kept_;          ///< latest first
  std::set<std::string> bound_;   ///< inputs whose contents decide shapes
  std::shared_ptr<std::atomic<int64_t>> compilations_ = std::make_shared<std::atomic<int64_t>>(0);
};

/// The tensors for inputs in their order, `inputs` by name or all nameless, with defaults for those
/// left out. Inputs that became constants when the model was loaded are allowed and not used.
Result<std::vector<Tensor>> arrange(std::span<const TensorSpec> wanted,
                                    const std::map<std::string, Tensor>& defaults,
                                    const std::map<std::string, Tensor>& constants,
                                    std::span<const NamedTensor> inputs);

} // namespace enfold
