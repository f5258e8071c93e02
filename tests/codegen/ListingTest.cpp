// Listings: the code is that which programs run, and lines of the three texts belong together.
#include "codegen/Listing.h"

#include "codegen/NativeFile.h"
#include "kernel/Builder.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

namespace enfold::codegen {
namespace {

using kir::Index;
using kir::Scalar;

kir::Kernel scaleRows(const std::string& name, double factor) {
  kir::Builder b(name);
  const kir::Buffer src = b.input("src", Scalar::F32, 1024);
  const kir::Buffer dst = b.output("dst", Scalar::F32, 1024);
  b.parallelFor("row", 16, [&](const Index& row) {
    b.forLoop("i", 0, 64, 8, [&](const Index& i) {
      b.store(dst[row * 64 + i], b.load(src[row * 64 + i], 8) * factor + 1);
    });
  });
  return b.finish();
}

std::vector<std::string> linesOf(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  return lines;
}

/// "\tvmulps\t...", without directives and comments.
std::vector<std::string> instructionsIn(const std::string& assembly) {
  std::vector<std::string> instructions;
  for (const std::string& line : linesOf(assembly))
    if (line.size() > 1 && line[0] == '\t' && std::isalpha(static_cast<unsigned char>(line[1])))
      instructions.push_back(line);
  return instructions;
}

TEST(Listing, EveryLineComesFromALineOfKernelIr) {
  const auto listed = listings(std::vector{scaleRows("scale", 3)}, hostTarget().value());
  ASSERT_TRUE(listed.has_value()) << listed.error().str();
  ASSERT_EQ(listed->entries.size(), 1u);
  const Listing& listing = listed->entries[0];
  const std::vector<std::string> kir = linesOf(listing.kir);
  for (const ListedText* text : {&listing.llvm, &listing.assembly}) {
    EXPECT_EQ(linesOf(text->text).size(), text->origin.size());
    for (const int line : text->origin) {
      EXPECT_GE(line, 0);
      EXPECT_LE(line, static_cast<int>(kir.size()));
    }
  }
  const std::vector<std::string> llvm = linesOf(listing.llvm.text);
  int stores = 0;
  for (size_t i = 0; i < llvm.size(); ++i)
    if (llvm[i].find("  store ") == 0) {
      ++stores;
      ASSERT_GT(listing.llvm.origin[i], 0) << llvm[i];
      const std::string& source = kir[static_cast<size_t>(listing.llvm.origin[i]) - 1];
      EXPECT_NE(source.find("store"), std::string::npos) << llvm[i] << " is from " << source;
    }
  EXPECT_EQ(stores, 1);
  EXPECT_EQ(listing.llvm.text.find("!dbg"), std::string::npos);
  EXPECT_EQ(listing.assembly.text.find(".loc"), std::string::npos);
}

TEST(Listing, LinesDoNotChangeTheCode) {
  const kir::Kernel kernel = scaleRows("scale", 3);
  const Target target = hostTarget().value();
  const auto listed = listings(std::vector{kernel}, target);
  ASSERT_TRUE(listed.has_value()) << listed.error().str();
  ProgramDesc program{.name = "scale", .kernels = {kernel}};
  program.steps = {{.kernel = 0,
                    .buffers = {{ENFOLD_SPACE_ARENA, 0, 0}, {ENFOLD_SPACE_ARENA, 0, 4096}},
                    .name = "scale"}};
  program.arenaBytes = 8192;
  const auto file = nativeFile({&program, 1}, target, NativeForm::Assembly, "scale");
  ASSERT_TRUE(file.has_value()) << file.error().str();
  const std::vector<std::string> mine = instructionsIn(listed->entries[0].assembly.text);
  std::vector<std::string> all = instructionsIn(*file);
  ASSERT_GE(all.size(), mine.size());
  all.resize(mine.size()); // behind the kernels stands the function that gives the program
  EXPECT_EQ(mine, all);
}

TEST(Listing, KernelsThatDifferInNamesOnlyAreListedOnce) {
  const std::vector<kir::Kernel> kernels = {scaleRows("a", 2), scaleRows("b", 2),
                                            scaleRows("c", 5)};
  const auto listed = listings(kernels, hostTarget().value());
  ASSERT_TRUE(listed.has_value()) << listed.error().str();
  EXPECT_EQ(listed->entries.size(), 2u);
  EXPECT_EQ(listed->entryOf, (std::vector<size_t>{0, 0, 1}));
}

} // namespace
} // namespace enfold::codegen
