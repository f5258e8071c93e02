// The structs of include/enfold/program.h, field by field; their sizes are checked against C's.
#include "codegen/ProgramTables.h"

#include "codegen/Annotation.h"
#include "support/Result.h"

#include <fmt/format.h>
#include <llvm/IR/IRBuilder.h>
#include <llvm/Transforms/Utils/ModuleUtils.h>

namespace enfold::codegen {
namespace {

constexpr uint64_t kAlignment = 64;

class TableWriter {
public:
  TableWriter(llvm::Module& module, std::string symbol)
      : module_(module), context_(module.getContext()), symbol_(std::move(symbol)),
        pointer_(llvm::PointerType::getUnqual(context_)), i32_(llvm::Type::getInt32Ty(context_)),
        i64_(llvm::Type::getInt64Ty(context_)), double_(llvm::Type::getDoubleTy(context_)),
        tensorInfo_(
            type("tensor_info", sizeof(enfold_tensor_info),
                 {pointer_, i32_, i32_, llvm::ArrayType::get(i64_, ENFOLD_MAX_RANK), i64_})),
        bufferRef_(type("buffer_ref", sizeof(enfold_buffer_ref), {i32_, i32_, i64_})),
        step_(type("step", sizeof(enfold_step),
                   {pointer_, pointer_, i32_, i32_, i64_, i64_, pointer_, pointer_, double_,
                    double_, pointer_, i64_})),
        program_(type("program", sizeof(enfold_program),
                      {i32_, i32_, i32_, i32_, pointer_, pointer_, pointer_, pointer_, pointer_,
                       i64_, i64_, i64_, pointer_})) {}

  llvm::Constant* data(std::span<const std::byte> bytes);
  llvm::GlobalVariable* program(const ProgramDesc& desc, std::span<llvm::Function* const> kernels,
                                llvm::Constant* constants, const kir::Target& target);
  /// A text that nothing in the program refers to.
  void annotation(const std::string& text);
  /// The function that returns the address of the program.
  void accessor(llvm::GlobalVariable* program);
  /// That which returns the address of the program of a number, or null.
  void accessor(std::span<llvm::Constant* const> programs);

private:
  using Constant = llvm::Constant;

  llvm::StructType* type(const char* name, size_t size, std::vector<llvm::Type*> fields) {
    auto* type = llvm::StructType::create(context_, fields, fmt::format("enfold_{}", name));
    ENFOLD_CHECK(module_.getDataLayout().getTypeAllocSize(type) == size, name);
    return type;
  }

  llvm::GlobalVariable* global(const std::string& name, Constant* value) {
    return new llvm::GlobalVariable(module_, value->getType(), /*isConstant=*/true,
                                    llvm::GlobalValue::InternalLinkage, value,
                                    fmt::format("{}_{}", symbol_, name));
  }
  /// The address of an array of structs; null if it would be empty.
  Constant* table(const std::string& name, llvm::StructType* row,
                  const std::vector<Constant*>& rows) {
    if (rows.empty()) return llvm::ConstantPointerNull::get(pointer_);
    return global(name, llvm::ConstantArray::get(llvm::ArrayType::get(row, rows.size()), rows));
  }
  Constant* text(const std::string& text);
  Constant* i32(int64_t value) { return llvm::ConstantInt::getSigned(i32_, value); }
  Constant* i64(int64_t value) { return llvm::ConstantInt::getSigned(i64_, value); }
  Constant* real(double value) { return llvm::ConstantFP::get(double_, value); }

  Constant* tensors(const std::string& name, const std::vector<TensorInfo>& infos);
  Constant* buffers(const std::string& name, const std::vector<enfold_buffer_ref>& refs);
  Constant* steps(const ProgramDesc& desc, std::span<llvm::Function* const> kernels);
  /// The entry of a visible function SYMBOL_NAME that returns a pointer.
  llvm::BasicBlock* newFunction(const char* name, llvm::ArrayRef<llvm::Type*> parameters);

  llvm::Module& module_;
  llvm::LLVMContext& context_;
  std::string symbol_;
  llvm::PointerType* pointer_;
  llvm::Type *i32_, *i64_, *double_;
  llvm::StructType *tensorInfo_, *bufferRef_, *step_, *program_;
};

/// Equal texts are merged by the linker.
llvm::Constant* TableWriter::text(const std::string& text) {
  llvm::GlobalVariable* variable =
      global("text", llvm::ConstantDataArray::getString(context_, text));
  variable->setUnnamedAddr(llvm::GlobalValue::UnnamedAddr::Global);
  variable->setLinkage(llvm::GlobalValue::PrivateLinkage);
  variable->setAlignment(llvm::Align(1));
  return variable;
}

llvm::Constant* TableWriter::tensors(const std::string& name,
                                     const std::vector<TensorInfo>& infos) {
  std::vector<Constant*> rows;
  for (const TensorInfo& info : infos) {
    std::vector<uint64_t> dims(info.dims.begin(), info.dims.end());
    dims.resize(ENFOLD_MAX_RANK);
    rows.push_back(llvm::ConstantStruct::get(
        tensorInfo_, {text(info.name), i32(info.elem), i32(static_cast<int64_t>(info.dims.size())),
                      llvm::ConstantDataArray::get(context_, dims), i64(info.bytes)}));
  }
  return table(name, tensorInfo_, rows);
}

llvm::Constant* TableWriter::buffers(const std::string& name,
                                     const std::vector<enfold_buffer_ref>& refs) {
  std::vector<Constant*> rows;
  for (const enfold_buffer_ref& ref : refs)
    rows.push_back(
        llvm::ConstantStruct::get(bufferRef_, {i32(ref.space), i32(ref.index), i64(ref.offset)}));
  return table(name, bufferRef_, rows);
}

llvm::Constant* TableWriter::steps(const ProgramDesc& desc,
                                   std::span<llvm::Function* const> kernels) {
  std::vector<Constant*> rows;
  for (const Step& step : desc.steps) {
    const auto kernel = static_cast<size_t>(step.kernel);
    Constant* refs = buffers(fmt::format("buffers_{}", rows.size()), step.buffers);
    rows.push_back(llvm::ConstantStruct::get(
        step_, {kernels[kernel], refs, i32(static_cast<int64_t>(step.buffers.size())),
                i32(step.parallel), i64(desc.kernels[kernel].iterations), i64(step.grain),
                text(step.name), text(step.origin), real(step.flops), real(step.bytes),
                step.check ? text(*step.check) : llvm::ConstantPointerNull::get(pointer_),
                i64(step.skip)}));
  }
  return table("steps", step_, rows);
}

/// In the section of large data, so that however many weights there are, code reaches what it
/// addresses with 32 bits.
llvm::Constant* TableWriter::data(std::span<const std::byte> bytes) {
  if (bytes.empty()) return llvm::ConstantPointerNull::get(pointer_);
  const llvm::StringRef raw(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  llvm::GlobalVariable* variable =
      global("constants", llvm::ConstantDataArray::getString(context_, raw, /*AddNull=*/false));
  variable->setAlignment(llvm::Align(kAlignment));
  variable->setCodeModel(llvm::CodeModel::Large);
  return variable;
}

llvm::GlobalVariable* TableWriter::program(const ProgramDesc& desc,
                                           std::span<llvm::Function* const> kernels,
                                           llvm::Constant* constants, const kir::Target& target) {
  return global(
      "description",
      llvm::ConstantStruct::get(
          program_,
          {i32(ENFOLD_PROGRAM_VERSION), i32(static_cast<int64_t>(desc.inputs.size())),
           i32(static_cast<int64_t>(desc.outputs.size())),
           i32(static_cast<int64_t>(desc.steps.size())), text(desc.name),
           tensors("inputs", desc.inputs), tensors("outputs", desc.outputs), steps(desc, kernels),
           constants, i64(static_cast<int64_t>(desc.constants.size())), i64(desc.arenaBytes),
           i64(scratchBytes(desc)), text(needsOf(desc, target))}));
}

void TableWriter::annotation(const std::string& text) {
  llvm::GlobalVariable* variable =
      global("annotation", llvm::ConstantDataArray::getString(context_, text));
  variable->setSection(kAnnotationSection);
  variable->setAlignment(llvm::Align(1));
  llvm::appendToCompilerUsed(module_, {variable});
}

void TableWriter::accessor(llvm::GlobalVariable* program) {
  llvm::IRBuilder<>(newFunction("program", {})).CreateRet(program);
}

void TableWriter::accessor(std::span<llvm::Constant* const> programs) {
  auto* type = llvm::ArrayType::get(pointer_, programs.size());
  llvm::GlobalVariable* table =
      global("programs", llvm::ConstantArray::get(type, {programs.data(), programs.size()}));
  llvm::BasicBlock* entry = newFunction("program_at", {i32_});
  llvm::Function* function = entry->getParent();
  auto* known = llvm::BasicBlock::Create(context_, "known", function);
  auto* unknown = llvm::BasicBlock::Create(context_, "unknown", function);
  llvm::IRBuilder<> b(entry);
  llvm::Value* index = function->getArg(0);
  llvm::Value* count = llvm::ConstantInt::get(i32_, programs.size());
  b.CreateCondBr(b.CreateICmpULT(index, count), known, unknown); // no index is below 0
  b.SetInsertPoint(known);
  b.CreateRet(b.CreateLoad(pointer_, b.CreateInBoundsGEP(type, table, {b.getInt32(0), index})));
  b.SetInsertPoint(unknown);
  b.CreateRet(llvm::ConstantPointerNull::get(pointer_));
}

llvm::BasicBlock* TableWriter::newFunction(const char* name,
                                           llvm::ArrayRef<llvm::Type*> parameters) {
  auto* function = llvm::Function::Create(llvm::FunctionType::get(pointer_, parameters, false),
                                          llvm::GlobalValue::ExternalLinkage,
                                          fmt::format("{}_{}", symbol_, name), module_);
  function->setDoesNotThrow();
  return llvm::BasicBlock::Create(context_, "", function);
}

} // namespace

void addProgramTables(llvm::Module& module, std::span<const ProgramDesc> programs,
                      const UniqueKernels& kernels, const kir::Target& target,
                      const std::string& symbol) {
  for (const UniqueKernels::Entry& entry : kernels.entries)
    module.getFunction(entry.symbol)->setLinkage(llvm::GlobalValue::InternalLinkage);
  TableWriter writer(module, symbol);
  llvm::Constant* constants = writer.data(programs.front().constants);
  std::vector<llvm::Constant*> written;
  for (size_t i = 0; i < programs.size(); ++i) {
    std::vector<llvm::Function*> functions;
    for (const size_t entry : kernels.entryOf[i])
      functions.push_back(module.getFunction(kernels.entries[entry].symbol));
    llvm::GlobalVariable* program = writer.program(programs[i], functions, constants, target);
    if (i == 0) writer.accessor(program);
    if (!programs[i].annotation.empty()) writer.annotation(programs[i].annotation);
    written.push_back(program);
  }
  if (written.size() > 1) writer.accessor(written);
}

} // namespace enfold::codegen
