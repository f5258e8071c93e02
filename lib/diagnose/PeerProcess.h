// Another runtime, measured in a process of its own through its Python package.
#pragma once

#include "diagnose/TemporaryFolder.h"
#include "ir/Graph.h"

#include <memory>
#include <span>
#include <string>
#include <vector>

namespace enfold::diagnose {

/// Whether there is a runtime of that name: "onnxruntime" or "openvino".
bool isPeer(std::string_view name);

class PeerProcess {
public:
  /// Gives it the graph as ONNX and its inputs, and waits until it is ready to run. The error tells
  /// if the interpreter (python3, or what ENFOLD_PYTHON names) has no such package.
  static Result<std::unique_ptr<PeerProcess>> start(const std::string& name, const Graph& graph,
                                                    std::span<const Tensor> inputs, int threads);
  ~PeerProcess();
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;

  /// "onnxruntime 1.23.2".
  const std::string& title() const { return title_; }
  int process() const { return process_; }

  /// Runs at least once, and again until so much time has passed; appends the milliseconds of each.
  Result<> run(double milliseconds, std::vector<double>& samples);

private:
  PeerProcess() = default;
  Result<std::string> readLine();

  TemporaryFolder folder_;
  std::string name_, title_;
  std::string received_; ///< behind the latest line
  int process_ = -1;
  int socket_ = -1; ///< its standard input and output
};

} // namespace enfold::diagnose
