// The text form. A first walk counts uses and names values, a second one writes.
#include "kernel/Printer.h"

#include <fmt/format.h>

#include <bit>
#include <cmath>
#include <iterator>
#include <map>

namespace enfold::kir {
namespace {

std::string_view name(Access access) {
  switch (access) {
  case Access::Read:
    return "read";
  case Access::Write:
    return "write";
  case Access::ReadWrite:
    return "readwrite";
  }
  return {};
}

std::string literal(Type type, int64_t imm) {
  if (type.scalar == Scalar::Bool) return imm ? "true" : "false";
  if (!isFloat(type.scalar)) return fmt::format("{}", imm);
  double number = std::bit_cast<double>(imm);
  return type.scalar == Scalar::F64 ? fmt::format("{}", number)
                                    : fmt::format("{}", static_cast<float>(number));
}

class Printer {
public:
  explicit Printer(const Kernel& kernel)
      : kernel_(kernel), text_(kernel.values.size()), uses_(kernel.values.size()),
        producer_(kernel.values.size()) {
    countUses(kernel.body);
    for (const VarInfo& var : kernel.vars) vars_.push_back(unique(var.name));
  }

  std::string kernel(Lines* lines = nullptr) {
    lines_ = lines;
    out_ = fmt::format("kernel @{}(", kernel_.name);
    std::string_view separator;
    for (const BufferInfo& b : kernel_.buffers) {
      if (b.space != Space::Param) continue;
      fmt::format_to(std::back_inserter(out_), "{}{}: {} {}[{}]", separator, b.name, name(b.access),
                     kir::name(b.elem), b.size);
      separator = ", ";
    }
    out_ += ") {\n";
    for (const BufferInfo& b : kernel_.buffers) {
      if (b.space == Space::Scratch)
        line(1,
             fmt::format("scratch {}: {}[{}] at {}", b.name, kir::name(b.elem), b.size, b.offset));
      if (b.space == Space::Local)
        line(1, fmt::format("local {}: {}[{}]", b.name, kir::name(b.elem), b.size));
    }
    block(kernel_.body, 1);
    out_ += "}\n";
    return std::move(out_);
  }

  std::string instruction(const Inst& wanted) {
    wanted_ = &wanted;
    kernel();
    return found_;
  }

private:
  void countUses(const Block& block) {
    for (const Inst& inst : block) {
      for (ValueId id : inst.operands)
        if (id < uses_.size()) ++uses_[id];
      if (inst.result < producer_.size()) producer_[inst.result] = &inst;
      for (const Block& inner : inst.blocks) countUses(inner);
    }
  }

  std::string unique(const std::string& wish) {
    int again = taken_[wish]++;
    return again == 0 ? fmt::format("%{}", wish) : fmt::format("%{}.{}", wish, again);
  }

  /// Index arithmetic that reads well inside an expression.
  bool isInline(const Inst& inst) const {
    if (inst.op == Op::Const || inst.op == Op::Affine) return true;
    bool arithmetic = inst.op == Op::FloorDiv || inst.op == Op::FloorMod || inst.op == Op::Mul;
    return arithmetic && inst.type == index() && uses_[inst.result] == 1;
  }

  std::string operand(const Inst& inst, size_t i) {
    return i < inst.operands.size() ? operand(inst.operands[i]) : "?";
  }

  std::string operand(ValueId id) {
    if (id >= text_.size()) return "?";
    if (!text_[id].empty()) return text_[id];
    const Inst* inst = producer_[id];
    return inst && isInline(*inst) ? expression(*inst) : "?";
  }

  std::string expression(const Inst& inst) {
    if (lines_) lines_->emplace(&inst, line_);
    if (inst.op == Op::Const) return literal(inst.type, inst.imm);
    if (inst.op == Op::Affine) return affine(inst);
    std::string_view symbol = inst.op == Op::Mul ? "*" : inst.op == Op::FloorDiv ? "/" : "%";
    return fmt::format("({} {} {})", operand(inst, 0), symbol, operand(inst, 1));
  }

  std::string affine(const Inst& inst) {
    std::string sum;
    for (size_t i = 0; i < inst.operands.size() && i < inst.ints.size(); ++i) {
      int64_t coeff = inst.ints[i];
      if (i > 0)
        sum += coeff < 0 ? " - " : " + ";
      else if (coeff < 0)
        sum += "-";
      sum += operand(inst, i);
      if (std::abs(coeff) != 1) sum += fmt::format("*{}", std::abs(coeff));
    }
    if (inst.imm != 0) sum += fmt::format(" {} {}", inst.imm < 0 ? '-' : '+', std::abs(inst.imm));
    return sum;
  }

  std::string place(const Inst& inst) {
    std::string base = operand(inst, 0);
    std::string buffer =
        inst.buffer < kernel_.buffers.size() ? kernel_.buffers[inst.buffer].name : "?";
    if (base == "0") return fmt::format("{}[{}]", buffer, inst.imm);
    if (inst.imm == 0) return fmt::format("{}[{}]", buffer, base);
    return fmt::format("{}[{} {} {}]", buffer, base, inst.imm < 0 ? '-' : '+', std::abs(inst.imm));
  }

  std::string operands(const Inst& inst, size_t first) {
    std::string list;
    for (size_t i = first; i < inst.operands.size(); ++i)
      list.append(i == first ? " " : ", ").append(operand(inst, i));
    return list;
  }

  static std::string tiles(const Inst& inst) {
    std::string list;
    for (const int64_t tile : inst.ints)
      list += fmt::format("{}t{}", list.empty() ? "" : ", ", tile);
    return list;
  }

  std::string varName(const Inst& inst) const {
    return inst.var < vars_.size() ? vars_[inst.var] : "?";
  }

  std::string plain(const Inst& inst) {
    const OpInfo& op = info(inst.op);
    std::string result;
    if (inst.result < text_.size()) {
      text_[inst.result] = fmt::format("%{}", nextNumber_++);
      result = text_[inst.result] + " = ";
    }
    if (inst.op == Op::VarDecl)
      return fmt::format("var {}: {} ={}", varName(inst), inst.type.str(), operands(inst, 0));
    if (inst.op == Op::VarGet) return result + varName(inst);
    if (inst.op == Op::VarSet) return varName(inst) + " =" + operands(inst, 0);
    if (op.kind == OpKind::Order) return std::string(op.text);
    std::string line = fmt::format("{}{} {}", result, op.text, inst.type.str());
    if (op.kind == OpKind::Memory) {
      line.append(" ").append(place(inst));
      if (inst.op == Op::LoadStrided) line += fmt::format(" stride {}", inst.stride);
      if (inst.op == Op::BroadcastWord) line += fmt::format(" of {}", inst.stride);
      if (inst.op == Op::TileLoad || inst.op == Op::TileStore)
        line += fmt::format(" stride {}, {}", inst.stride, tiles(inst));
      return line + (inst.operands.size() > 1 ? "," : "") + operands(inst, 1);
    }
    if (op.kind == OpKind::Tile) return line + " " + tiles(inst);
    line += operands(inst, 0);
    if (inst.op == Op::Extract || inst.op == Op::Insert) line += fmt::format(" lane {}", inst.imm);
    if (inst.op == Op::Shuffle) line += fmt::format(" [{}]", fmt::join(inst.ints, " "));
    return line;
  }

  std::string header(const Inst& inst) {
    if (inst.op == Op::If) return "if" + operands(inst, 0);
    if (inst.result < text_.size()) text_[inst.result] = unique(inst.name);
    std::string variable = operand(inst.result);
    if (inst.op == Op::Parallel) return fmt::format("parallel {} in 0..{}", variable, inst.imm);
    std::string lo = operand(inst, 0), hi = operand(inst, 1);
    std::string loop = fmt::format("for {} in {}..{}", variable, lo, hi);
    if (inst.imm != 1) loop += fmt::format(" step {}", inst.imm);
    return loop + (inst.unroll == Unroll::Full ? " unrolled" : "");
  }

  void block(const Block& insts, int depth) {
    for (const Inst& inst : insts) {
      bool control = info(inst.op).kind == OpKind::Control;
      if (&inst != wanted_ && !control && inst.result != kNoId && isInline(inst)) continue;
      if (lines_) lines_->emplace(&inst, line_);
      std::string text = control ? header(inst) : plain(inst);
      if (&inst == wanted_) found_ = text;
      if (!control) {
        line(depth, text);
        continue;
      }
      line(depth, text + " {");
      for (size_t i = 0; i < inst.blocks.size(); ++i) {
        if (i > 0 && inst.blocks[i].empty()) continue;
        if (i > 0) line(depth, "} else {");
        block(inst.blocks[i], depth + 1);
      }
      line(depth, "}");
    }
  }

  void line(int depth, std::string_view text) {
    out_.append(static_cast<size_t>(depth) * 2, ' ').append(text) += '\n';
    ++line_;
  }

  const Kernel& kernel_;
  std::vector<std::string> text_; ///< how each value is referred to, once it is defined
  std::vector<int> uses_;
  std::vector<const Inst*> producer_;
  std::vector<std::string> vars_;
  std::map<std::string, int> taken_;
  int nextNumber_ = 0;
  std::string out_;
  int line_ = 2; ///< being written, behind the head
  Lines* lines_ = nullptr;
  const Inst* wanted_ = nullptr;
  std::string found_;
};

} // namespace

std::string print(const Kernel& kernel) { return Printer(kernel).kernel(); }

std::string print(const Kernel& kernel, Lines& lines) { return Printer(kernel).kernel(&lines); }

std::string print(const Kernel& kernel, const Inst& inst) {
  return Printer(kernel).instruction(inst);
}

} // namespace enfold::kir
