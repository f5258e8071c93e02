// One script serves all runtimes: it reads how long to run, and writes how long each run took.
#include "diagnose/PeerProcess.h"

#include "onnx/Export.h"
#include "onnx/TensorFile.h"
#include "support/ErrorCodes.h"

#include <fmt/format.h>

#include <array>
#include <cstdlib>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

namespace enfold::diagnose {
namespace {

constexpr std::array kPeers = {std::string_view("onnxruntime"), std::string_view("openvino")};

constexpr const char* kScript = R"(
import os, sys, time
replies = os.fdopen(os.dup(1), "w", buffering=1)
os.dup2(2, 1)
name, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
try:
    import numpy
    if name == "onnxruntime":
        import onnxruntime
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        session = onnxruntime.InferenceSession(
            f"{folder}/model.onnx", options, ["CPUExecutionProvider"])
        inputs = [i.name for i in session.get_inputs()]
        call, version = lambda feeds: session.run(None, feeds), onnxruntime.__version__
    else:
        import openvino
        compiled = openvino.Core().compile_model(
            f"{folder}/model.onnx", "CPU",
            {"INFERENCE_NUM_THREADS": threads, "PERFORMANCE_HINT": "LATENCY"})
        request = compiled.create_infer_request()
        inputs = [i.get_any_name() for i in compiled.inputs]
        call, version = request.infer, openvino.__version__
except Exception as error:
    sys.exit(f"{sys.executable}: {error}")
feeds = {i: numpy.load(f"{folder}/in{n}.npy") for n, i in enumerate(inputs)}
for _ in range(2):
    call(feeds)
print(version.split("-")[0], file=replies)
for line in sys.stdin:
    end, times = time.perf_counter() + float(line) / 1e3, []
    while not times or time.perf_counter() < end:
        start = time.perf_counter()
        call(feeds)
        times.append((time.perf_counter() - start) * 1e3)
    print(*times, file=replies)
)";

/// Starts the program with one end of a connection as its standard input and output, and returns
/// the other end.
Result<std::pair<pid_t, int>> startProgram(const std::vector<std::string>& arguments) {
  std::vector<char*> raw;
  for (const std::string& argument : arguments) raw.push_back(const_cast<char*>(argument.c_str()));
  raw.push_back(nullptr);
  int ends[2];
  if (::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0)
    return usageError("cannot connect to another process");
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(ends[1], STDIN_FILENO);
    ::dup2(ends[1], STDOUT_FILENO);
    ::execvp(raw[0], raw.data());
    ::_exit(127);
  }
  ::close(ends[1]);
  if (child > 0) return std::pair(child, ends[0]);
  ::close(ends[0]);
  return usageError("cannot start another process");
}

} // namespace

bool isPeer(std::string_view name) { return std::ranges::find(kPeers, name) != kPeers.end(); }

Result<std::unique_ptr<PeerProcess>> PeerProcess::start(const std::string& name, const Graph& graph,
                                                        std::span<const Tensor> inputs,
                                                        int threads) {
  std::unique_ptr<PeerProcess> peer(new PeerProcess);
  peer->name_ = name;
  const std::filesystem::path& folder = peer->folder_.path();
  if (folder.empty()) return failure(ErrorCode::CannotWrite, "cannot create a temporary folder");
  ENFOLD_RETURN_IF_ERROR(onnx::exportModel(graph, folder / "model.onnx"));
  for (size_t i = 0; i < inputs.size(); ++i)
    ENFOLD_RETURN_IF_ERROR(onnx::writeNpy(folder / fmt::format("in{}.npy", i), inputs[i]));
  ENFOLD_TRY(const auto started, startProgram({pythonInterpreter(), "-c", kScript, name,
                                               folder.string(), std::to_string(threads)}));
  std::tie(peer->process_, peer->socket_) = started;
  ENFOLD_TRY(const std::string version, peer->readLine());
  peer->title_ = name + " " + version;
  return peer;
}

PeerProcess::~PeerProcess() {
  if (socket_ >= 0) ::close(socket_); // ends its loop
  if (process_ > 0) ::waitpid(process_, nullptr, 0);
}

Result<std::string> PeerProcess::readLine() {
  for (;;) {
    if (const size_t end = received_.find('\n'); end != std::string::npos) {
      std::string line = received_.substr(0, end);
      received_.erase(0, end + 1);
      return line;
    }
    char part[4096];
    const ssize_t count = ::recv(socket_, part, sizeof part, 0);
    if (count > 0)
      received_.append(part, static_cast<size_t>(count));
    else if (count == 0 || errno != EINTR)
      return failure(ErrorCode::MissingProgram,
                     fmt::format("{} does not run; ENFOLD_PYTHON names an interpreter that has "
                                 "its package",
                                 name_));
  }
}

Result<> PeerProcess::run(double milliseconds, std::vector<double>& samples) {
  const std::string order = fmt::format("{}\n", milliseconds);
  static_cast<void>(::send(socket_, order.data(), order.size(), MSG_NOSIGNAL)); // or nobody answers
  ENFOLD_TRY(const std::string line, readLine());
  const char* at = line.c_str();
  for (char* end = nullptr;; at = end) {
    const double sample = std::strtod(at, &end);
    if (end == at) return {};
    samples.push_back(sample);
  }
}

} // namespace enfold::diagnose
