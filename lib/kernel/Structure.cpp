// Serialization of a kernel without its names. Lists are preceded by their length, so that the
// bytes determine the kernel.
#include "kernel/Structure.h"

#include "kernel/ByteWriter.h"

namespace enfold::kir {
namespace {

class Writer : public ByteWriter {
public:
  void block(const Block& insts) {
    number(static_cast<int64_t>(insts.size()));
    for (const Inst& inst : insts) instruction(inst);
  }

private:
  void instruction(const Inst& inst) {
    number(static_cast<int64_t>(inst.op));
    number(static_cast<int64_t>(inst.unroll));
    type(inst.type);
    for (uint32_t id : {inst.result, inst.buffer, inst.var}) number(static_cast<int32_t>(id));
    number(inst.imm);
    number(inst.stride);
    number(static_cast<int64_t>(inst.operands.size()));
    for (ValueId id : inst.operands) number(id);
    number(static_cast<int64_t>(inst.ints.size()));
    for (int64_t x : inst.ints) number(x);
    number(static_cast<int64_t>(inst.blocks.size()));
    for (const Block& inner : inst.blocks) block(inner);
  }
};

} // namespace

std::string structure(const Kernel& kernel) {
  Writer out;
  out.number(static_cast<int64_t>(kernel.buffers.size()));
  for (const BufferInfo& b : kernel.buffers) {
    out.number(static_cast<int64_t>(b.elem));
    out.number(b.size);
    out.number(static_cast<int64_t>(b.access));
    out.number(static_cast<int64_t>(b.space));
    out.number(b.offset);
  }
  out.number(static_cast<int64_t>(kernel.vars.size()));
  for (const VarInfo& var : kernel.vars) out.type(var.type);
  out.number(kernel.iterations);
  out.number(kernel.scratchBytes);
  out.block(kernel.body);
  return std::move(out).take();
}

} // namespace enfold::kir
