// Which words processors multiply.
#include "lower/Words.h"

namespace enfold::lower {
namespace {

using kir::DotProduct;

bool hasVnni(const kir::Machine& machine) {
  return machine.dotProducts.contains(DotProduct::Avx512Vnni) ||
         machine.dotProducts.contains(DotProduct::AvxVnni);
}

} // namespace

Words bytesFor(const kir::Machine& machine) {
  const bool signedOnly = machine.dotProducts.contains(DotProduct::ArmDotprod) &&
                          !machine.dotProducts.contains(DotProduct::ArmI8mm);
  return signedOnly ? kSignedBytes : kBytes;
}

const kir::Throughput& dotsOf(const kir::Machine& machine, const Words& words) {
  return words == kHalves ? machine.halfDot : machine.dot;
}

std::string_view prefix(const Words& words) {
  if (words == kHalves) return "bf16 ";
  return words.channels == 4 ? "bytes " : words.channels == 2 ? "pairs " : "";
}

bool hasTiles(const kir::Machine& machine, const Words& words) {
  if (words == kHalves) return machine.dotProducts.contains(DotProduct::AmxBf16);
  return (words == kBytes || words == kSignedBytes) &&
         machine.dotProducts.contains(DotProduct::AmxInt8);
}

bool hasDot(const kir::Machine& machine, const Words& words) {
  if (words == kHalves)
    return machine.dotProducts.contains(DotProduct::Avx512Bf16) ||
           machine.dotProducts.contains(DotProduct::ArmBf16);
  if (words == kPairs) return hasVnni(machine);
  if (words == kBytes) return hasVnni(machine) || machine.dotProducts.contains(DotProduct::ArmI8mm);
  return words == kSignedBytes && machine.dotProducts.contains(DotProduct::ArmDotprod);
}

} // namespace enfold::lower
