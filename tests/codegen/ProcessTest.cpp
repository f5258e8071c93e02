// What compiling leaves of LLVM in the process: its options belong to whoever else uses it.
#include "tests/codegen/Harness.h"

#include <llvm/Support/CommandLine.h>

namespace enfold::codegen {
namespace {

TEST(Process, OptionsOfLlvmAreAsTheyWere) {
  kir::Builder b("copy");
  const kir::Buffer src = b.input("src", kir::Scalar::F32, 64);
  const kir::Buffer dst = b.output("dst", kir::Scalar::F32, 64);
  b.parallelFor("i", 64, [&](const kir::Index& i) { b.store(dst[i], b.load(src[i], 1)); });
  ASSERT_TRUE(compileAll({b.finish()}, targets().back()));
  const auto& options = llvm::cl::getRegisteredOptions();
  EXPECT_TRUE(options.contains("disable-lsr"));
  for (const auto& option : options)
    EXPECT_EQ(option.second->getNumOccurrences(), 0) << option.first().str();
}

} // namespace
} // namespace enfold::codegen
