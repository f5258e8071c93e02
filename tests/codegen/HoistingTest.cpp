// Sums that fill the registers stay in them, however many constants the epilogue has.
#include "codegen/Hoisting.h"

#include "codegen/Listing.h"
#include "kernel/Builder.h"

#include <gtest/gtest.h>

#include <map>
#include <sstream>

namespace enfold::codegen {
namespace {

using kir::Index;
using kir::Scalar;
using kir::Value;

constexpr int64_t kPixels = 14, kBlocks = 2, kTiles = 4, kWords = 64;
constexpr int kLanes = 16;

/// A register tile of pixels by blocks of channels, each sum of which is quantized twice.
kir::Kernel tileKernel() {
  kir::Builder b("tile");
  const kir::Buffer pixels = b.input("pixels", Scalar::U8, 16 * kTiles * kPixels * kWords * 4);
  const kir::Buffer weights = b.input("weights", Scalar::I8, kWords * kBlocks * kLanes * 4);
  const kir::Buffer dst = b.output("dst", Scalar::I32, 16 * kTiles * kPixels * kBlocks * kLanes);
  b.parallelFor("row", 16, [&](const Index& row) {
    b.forLoop("tile", 0, kTiles, [&](const Index& tile) {
      const Index first = row * (kTiles * kPixels) + tile * kPixels;
      std::vector<kir::Var> sums;
      for (int64_t i = 0; i < kPixels * kBlocks; ++i)
        sums.push_back(b.var("sum", b.zero(kir::Type{Scalar::I32, kLanes})));
      b.forLoop("word", 0, kWords, [&](const Index& word) {
        std::vector<Value> w;
        for (int64_t block = 0; block < kBlocks; ++block)
          w.push_back(b.load(weights[(word * kBlocks + block) * (kLanes * 4)], kLanes * 4));
        for (int64_t i = 0; i < kPixels; ++i) {
          const Value v = b.broadcastWord(pixels[(first + i) * (kWords * 4) + word * 4], 4, kLanes);
          for (int64_t block = 0; block < kBlocks; ++block) {
            kir::Var& sum = sums[static_cast<size_t>(i * kBlocks + block)];
            sum.set(b.dot(sum, v, w[static_cast<size_t>(block)]));
          }
        }
      });
      for (int64_t i = 0; i < kPixels * kBlocks; ++i) {
        const Value sum = sums[static_cast<size_t>(i)];
        const Value scaled = (b.cast(sum, Scalar::F32) * 0.37 + 3.5) * 1.75 - 0.875;
        const Value once = b.cast(scaled, Scalar::I32) * 17 + 5;
        b.store(dst[(first * kBlocks + i) * kLanes],
                b.cast(b.cast(once, Scalar::F32) * 0.19 + 7.25, Scalar::I32));
      }
    });
  });
  return b.finish();
}

/// Lines of the loops around `what` that hold no other loop.
std::vector<std::string> innermostLoopWith(const std::string& what, const std::string& assembly) {
  std::vector<std::string> lines;
  std::istringstream in(assembly);
  for (std::string line; std::getline(in, line);) lines.push_back(line);
  std::map<std::string, size_t> labels;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (lines[i].starts_with(".L")) labels[lines[i].substr(0, lines[i].find(':'))] = i;
    const size_t target = lines[i].find("\t.L");
    if (!lines[i].starts_with("\tj") || target == std::string::npos) continue;
    const auto begin = labels.find(lines[i].substr(target + 1));
    if (begin == labels.end()) continue;
    const std::vector<std::string> body(lines.begin() + static_cast<ptrdiff_t>(begin->second),
                                        lines.begin() + static_cast<ptrdiff_t>(i));
    if (std::ranges::any_of(body, [&](const auto& line) { return line.contains(what); }))
      return body;
  }
  return {};
}

TEST(Hoisting, SumsOfATileAreNotSpilled) {
  const kir::Kernel kernel = tileKernel();
  const Target target = targetFor("icelake-server").value();
  ASSERT_TRUE(fillsRegisters(kernel, target.machine));
  const auto listed = listings(std::span(&kernel, 1), target);
  ASSERT_TRUE(listed.has_value()) << listed.error().str();
  const auto loop = innermostLoopWith("vpdpbusd", listed->entries[0].assembly.text);
  ASSERT_FALSE(loop.empty()) << listed->entries[0].assembly.text;
  for (const std::string& line : loop)
    EXPECT_FALSE(line.contains("(%rsp)") && line.contains("%zmm")) << line;
}

} // namespace
} // namespace enfold::codegen
