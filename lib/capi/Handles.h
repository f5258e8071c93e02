// What the opaque handles of the compiler's C interface hold.
#pragma once

#include "capi/Status.h"
#include "driver/Settings.h"

#include <enfold/enfold_compiler.h>

struct enfold_settings {
  enfold::Settings settings;
};

struct enfold_network {
  /// Declarations with the strings and sizes that they point to.
  class Declarations {
  public:
    explicit Declarations(const std::vector<enfold::onnx::DeclaredTensor>& tensors);
    int32_t size() const { return static_cast<int32_t>(rows_.size()); }
    const enfold_declaration* at(int32_t index) const;

  private:
    struct Dims {
      std::vector<int64_t> sizes;
      std::vector<const char*> symbols;
    };
    std::vector<Dims> dims_;
    std::vector<enfold_declaration> rows_;
  };

  explicit enfold_network(std::shared_ptr<enfold::Network> opened);

  std::shared_ptr<enfold::Network> network;
  Declarations inputs, overridable, outputs;
  std::map<std::string, std::string> properties;
  std::vector<std::pair<std::string, std::string>> metadata;
};

namespace enfold::capi {

/// The caller's tensors without copies of their data; where there is none, zeros.
Result<std::vector<NamedTensor>> tensorsOf(const enfold_tensor* tensors, int32_t count);

/// How the network is compiled, for graphs that are not its own: its programs for open sizes share
/// constants, code and the choice of algorithms, by the names of ops.
CompileOptions optionsAlone(const Network& network);

/// A text that enfold_free_text() frees.
char* newText(const std::string& text);

/// Gives the text that `make(Network&)` returns, as JSON for the caller.
template <typename Make> enfold_status giveJson(enfold_network* network, char** json, Make&& make) {
  if (!json) return fail(ENFOLD_INVALID_ARGUMENT, "nowhere to put the report");
  *json = nullptr;
  if (!network) return fail(ENFOLD_INVALID_ARGUMENT, "no network");
  return guarded([&]() -> Result<> {
    ENFOLD_TRY(const std::string text, make(*network->network));
    *json = newText(text);
    return {};
  });
}

} // namespace enfold::capi

struct enfold_results {
  explicit enfold_results(std::vector<enfold::Network::Output> outputs);

  std::vector<enfold::Network::Output> outputs;
  std::vector<enfold_tensor> rows; ///< which point into the outputs
  std::vector<int32_t> outputOf;   ///< the output of each row
};

struct enfold_compiled {
  std::shared_ptr<enfold::Network> network; ///< whose constants the program may share
  std::shared_ptr<const enfold::Network::Program> program;
};
