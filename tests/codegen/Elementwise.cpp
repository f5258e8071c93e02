// The part of the tests of single instructions that is the same for all types.
#include "tests/codegen/Elementwise.h"

#include <fmt/format.h>

namespace enfold::codegen {

kir::Kernel elementwise(std::string name, const std::vector<kir::Scalar>& sources,
                        kir::Scalar result, int lanes, int64_t size, const Body& body) {
  kir::Builder b(std::move(name));
  std::vector<kir::Buffer> src;
  for (kir::Scalar s : sources) src.push_back(b.input(fmt::format("src{}", src.size()), s, size));
  kir::Buffer dst = b.output("dst", result, size);
  b.parallelFor("i", size / lanes, [&](const kir::Index& i) {
    std::vector<kir::Value> values;
    for (const kir::Buffer& from : src) values.push_back(b.load(from[i * lanes], lanes));
    b.store(dst[i * lanes], body(b, values));
  });
  return b.finish();
}

void runSubjects(const std::vector<Subject>& subjects, kir::Scalar from, kir::Scalar to,
                 std::vector<Guarded>& operands, const std::vector<Target>& on,
                 const std::function<void(size_t, const Guarded&, const std::string&)>& check) {
  for (const Target& target : on) {
    std::vector<kir::Kernel> kernels;
    for (const Subject& s : subjects)
      for (int lanes : kLaneCounts)
        kernels.push_back(elementwise(fmt::format("{}_{}_x{}", s.name, kir::name(from), lanes),
                                      std::vector<kir::Scalar>(static_cast<size_t>(s.arity), from),
                                      to, lanes, static_cast<int64_t>(kElements), s.body));
    std::vector<std::string> names;
    for (const kir::Kernel& kernel : kernels) names.push_back(kernel.name);
    auto module = compileAll(std::move(kernels), target);
    ASSERT_TRUE(module);
    for (size_t step = 0; step < names.size(); ++step) {
      const size_t number = step / std::size(kLaneCounts);
      std::vector<void*> pointers;
      for (int i = 0; i < subjects[number].arity; ++i)
        pointers.push_back(operands[static_cast<size_t>(i)].data());
      Guarded results(kElements * static_cast<size_t>(kir::sizeInBytes(to)));
      pointers.push_back(results.data());
      runStep(*module, static_cast<int>(step), pointers);
      ASSERT_TRUE(results.intact());
      check(number, results, fmt::format("{} on {}", names[step], name(target.isa)));
      if (testing::Test::HasFatalFailure()) return;
    }
  }
}

void differs(const std::string& what, const std::array<double, 3>& lanes, double result,
             double wanted) {
  FAIL() << fmt::format("{}: ({}, {}, {}) gives {}, not {}", what, lanes[0], lanes[1], lanes[2],
                        result, wanted);
}

} // namespace enfold::codegen
