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

bool hasDot(const kir::Machine& machine, const Words& words) {
  if (words.channels == 2) return hasVnni(machine);
  if (words == kBytes) return hasVnni(machine) || machine.dotProducts.contains(DotProduct::ArmI8mm);
  return words == kSignedBytes && machine.dotProducts.contains(DotProduct::ArmDotprod);
}

} // namespace enfold::lower
