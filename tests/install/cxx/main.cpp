// Compiles a model and runs it, using nothing but the installed C++ interface.
#include <enfold/enfold.hpp>

#include <algorithm>
#include <cstdio>

namespace {

int complain(const enfold::Failure& failure) {
  std::fprintf(stderr, "%s\n", failure.text().c_str());
  return 1;
}

} // namespace

int main() {
  const auto module = enfold::Module::compile("zoo:cnn_batchnorm");
  if (!module) return complain(module.error());
  auto context = enfold::Context::create(*module, {.threads = 1});
  if (!context) return complain(context.error());
  std::vector<float> images(static_cast<size_t>(module->inputs()[0].bytes) / sizeof(float), 0.5f);
  std::vector<float> scores(static_cast<size_t>(module->outputs()[0].bytes) / sizeof(float));
  if (const auto done = context->run({enfold::bytesOf(images)}, {enfold::bytesOf(scores)}); !done)
    return complain(done.error());
  // Equal images have equal scores, and an untrained network's scores are not all the same.
  const auto first = scores.begin(), second = first + 10;
  if (scores.size() != 160 || !std::equal(first, second, second) ||
      std::ranges::count(scores, scores[0]) == 160) {
    std::fprintf(stderr, "unlikely scores\n");
    return 1;
  }
  return 0;
}
