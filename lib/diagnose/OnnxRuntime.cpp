// Runs ONNX Runtime in its own process, through files in a temporary folder.
#include "diagnose/OnnxRuntime.h"

#include "diagnose/TemporaryFolder.h"
#include "onnx/Export.h"
#include "onnx/TensorFile.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <cstdlib>
#include <sys/wait.h>
#include <unistd.h>

namespace enfold::diagnose {
namespace {

/// Without optimizations, whose errors would have to be told from ours.
constexpr const char* kScript = R"(
import sys
try:
    import numpy, onnxruntime
except ImportError as error:
    sys.exit(f"{sys.executable} has no package for this: {error}")
folder, inputs, outputs = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
options = onnxruntime.SessionOptions()
options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
options.log_severity_level = 3
session = onnxruntime.InferenceSession(f"{folder}/model.onnx", options, ["CPUExecutionProvider"])
names = [i.name for i in session.get_inputs()]
feeds = {name: numpy.load(f"{folder}/in{i}.npy") for i, name in enumerate(names)}
for i, result in enumerate(session.run(None, feeds)):
    numpy.save(f"{folder}/out{i}.npy", numpy.ascontiguousarray(result))
)";

/// Exit status of the program; its messages go to stderr.
int runProgram(const std::vector<std::string>& arguments) {
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  const pid_t child = ::fork();
  if (child == 0) {
    ::execvp(raw[0], raw.data());
    ::_exit(127);
  }
  int status = 0;
  if (child < 0 || ::waitpid(child, &status, 0) < 0 || !WIFEXITED(status)) return -1;
  return WEXITSTATUS(status);
}

} // namespace

Result<std::vector<Tensor>> runOnnxRuntime(const Graph& graph, std::span<const Tensor> inputs) {
  const TemporaryFolder folder;
  if (folder.path().empty())
    return failure(ErrorCode::CannotWrite, "cannot create a temporary folder");
  ENFOLD_RETURN_IF_ERROR(onnx::exportModel(graph, folder.path() / "model.onnx"));
  for (size_t i = 0; i < inputs.size(); ++i)
    ENFOLD_RETURN_IF_ERROR(onnx::writeNpy(folder.path() / fmt::format("in{}.npy", i), inputs[i]));
  const char* python = pythonInterpreter();
  const int status =
      runProgram({python, "-c", kScript, folder.path().string(), std::to_string(inputs.size()),
                  std::to_string(graph.outputs().size())});
  if (status != 0)
    return failure(ErrorCode::MissingProgram,
                   fmt::format("ONNX Runtime did not run (exit status {} of {}); ENFOLD_PYTHON "
                               "names an interpreter that "
                               "has the onnxruntime package",
                               status, python));
  std::vector<Tensor> outputs;
  for (size_t i = 0; i < graph.outputs().size(); ++i) {
    ENFOLD_TRY(NamedTensor tensor,
               onnx::readTensorFile(folder.path() / fmt::format("out{}.npy", i)));
    outputs.push_back(std::move(tensor.tensor));
  }
  return outputs;
}

} // namespace enfold::diagnose
