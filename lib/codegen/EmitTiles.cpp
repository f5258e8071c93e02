// Tiles. Intel's AMX has them; elsewhere they are an array on the stack, so that kernels of tiles
// can be tested on any machine.
//
// All tiles have the same form, which is set once a call. At the end of the call they are released:
// the system need not save what they hold then.
#include "codegen/Dots.h"
#include "codegen/Emitter.h"

#include <llvm/IR/IntrinsicsX86.h>
#include <llvm/IR/Module.h>

#include <algorithm>

namespace enfold::codegen {
namespace {

using kir::Op;
using kir::Scalar;

constexpr int kRowBytes = 64;

bool usesTiles(const kir::Block& block) {
  return std::ranges::any_of(block, [](const kir::Inst& inst) {
    return inst.op == Op::TileZero || inst.op == Op::TileLoad || inst.op == Op::TileDot ||
           inst.op == Op::TileStore || std::ranges::any_of(inst.blocks, usesTiles);
  });
}

/// The operand of ldtilecfg: palette 1; bytes of a row, and rows, of each tile.
llvm::Constant* tileForm(llvm::LLVMContext& context) {
  std::array<uint8_t, 64> form{};
  form[0] = 1;
  for (int tile = 0; tile < kir::kTiles; ++tile) {
    form[static_cast<size_t>(16 + 2 * tile)] = kRowBytes;
    form[static_cast<size_t>(48 + tile)] = kir::kTileRows;
  }
  return llvm::ConstantDataArray::get(context, form);
}

} // namespace

bool multipliesTiles(const kir::Block& block, bool ofHalves) {
  return std::ranges::any_of(block, [&](const kir::Inst& inst) {
    if (inst.op == Op::TileDot) return (inst.type.scalar == Scalar::BF16) == ofHalves;
    return std::ranges::any_of(
        inst.blocks, [&](const kir::Block& inner) { return multipliesTiles(inner, ofHalves); });
  });
}

void Emitter::beginTiles() {
  hasTiles_ = usesTiles(kernel_.body);
  if (!hasTiles_) return;
  if (!target_.hasTiles) {
    tiles_ = stackSlot(b_.getInt8Ty(), kir::kTiles * kir::kTileRows * kRowBytes, 64, "tiles");
    return;
  }
  llvm::Constant* form = tileForm(context_);
  auto* global = new llvm::GlobalVariable(module_, form->getType(), /*isConstant=*/true,
                                          llvm::GlobalValue::PrivateLinkage, form, "tile_form");
  global->setAlignment(llvm::Align(64));
  b_.CreateIntrinsic(llvm::Intrinsic::x86_ldtilecfg, llvm::ArrayRef<llvm::Type*>{}, {global});
}

void Emitter::endTiles() {
  if (hasTiles_ && target_.hasTiles)
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tilerelease, llvm::ArrayRef<llvm::Type*>{},
                       llvm::ArrayRef<llvm::Value*>{});
}

llvm::Value* Emitter::tileRowAddress(int64_t tile, Value* row) {
  Value* first = b_.CreateConstGEP1_64(b_.getInt8Ty(), tiles_, tile * kir::kTileRows * kRowBytes);
  return b_.CreateGEP(b_.getInt8Ty(), first, b_.CreateMul(row, b_.getInt64(kRowBytes)));
}

void Emitter::tile(const Inst& inst) {
  if (inst.op == Op::TileDot) return tileDot(inst);
  if (target_.hasTiles) {
    b_.CreateIntrinsic(llvm::Intrinsic::x86_tilezero, llvm::ArrayRef<llvm::Type*>{},
                       {b_.getInt8(static_cast<uint8_t>(inst.ints[0]))});
    return;
  }
  b_.CreateMemSet(tileRowAddress(inst.ints[0], b_.getInt64(0)), b_.getInt8(0),
                  kir::kTileRows * kRowBytes, llvm::Align(64));
}

void Emitter::tileMemory(const Inst& inst) {
  const bool isLoad = inst.op == Op::TileLoad;
  const int64_t stride = inst.stride * kir::sizeInBytes(inst.type.scalar);
  Value* const at = address(inst);
  if (target_.hasTiles) {
    b_.CreateIntrinsic(isLoad ? llvm::Intrinsic::x86_tileloadd64
                              : llvm::Intrinsic::x86_tilestored64,
                       llvm::ArrayRef<llvm::Type*>{},
                       {b_.getInt8(static_cast<uint8_t>(inst.ints[0])), at,
                        b_.getInt64(static_cast<uint64_t>(stride))});
    return;
  }
  for (int64_t row = 0; row < kir::kTileRows; ++row) {
    Value* const inTile = tileRowAddress(inst.ints[0], b_.getInt64(static_cast<uint64_t>(row)));
    Value* const inMemory = b_.CreateConstGEP1_64(b_.getInt8Ty(), at, row * stride);
    if (isLoad)
      b_.CreateAlignedStore(plainLoad(inMemory, inst.type, inst), inTile, llvm::Align(64));
    else
      plainStore(inMemory, b_.CreateAlignedLoad(typeOf(inst.type), inTile, llvm::Align(64)),
                 inst.type, inst);
  }
}

void Emitter::tileDot(const Inst& inst) {
  const Scalar a = inst.type.scalar, b = a == Scalar::BF16 ? a : Scalar::I8;
  if (target_.hasTiles) {
    const llvm::Intrinsic::ID id = a == Scalar::BF16 ? llvm::Intrinsic::x86_tdpbf16ps
                                   : a == Scalar::U8 ? llvm::Intrinsic::x86_tdpbusd
                                                     : llvm::Intrinsic::x86_tdpbssd;
    const auto number = [&](size_t i) { return b_.getInt8(static_cast<uint8_t>(inst.ints[i])); };
    b_.CreateIntrinsic(id, llvm::ArrayRef<llvm::Type*>{}, {number(0), number(1), number(2)});
    return;
  }
  const kir::Type sums = kir::tileRow(a == Scalar::BF16 ? Scalar::F32 : Scalar::I32);
  const auto loopOver = [&](const char* name, const std::function<void(Value*)>& body) {
    loop(b_.getInt64(0), b_.getInt64(kir::kTileRows), 1, false, name, body);
  };
  loopOver("row", [&](Value* row) {
    loopOver("word", [&](Value* k) {
      Value* const to = tileRowAddress(inst.ints[0], row);
      Value* const from = b_.CreateGEP(b_.getInt32Ty(), tileRowAddress(inst.ints[1], row), k);
      Value* const word = b_.CreateAlignedLoad(b_.getInt32Ty(), from, llvm::Align(4));
      Value* const x =
          b_.CreateBitCast(b_.CreateVectorSplat(kir::kTileRows, word), typeOf(inst.type));
      Value* const y = b_.CreateAlignedLoad(typeOf(inst.type.withScalar(b)),
                                            tileRowAddress(inst.ints[2], k), llvm::Align(64));
      Value* const sum = b_.CreateAlignedLoad(typeOf(sums), to, llvm::Align(64));
      b_.CreateAlignedStore(emitDot(b_, target_, sum, a, x, b, y), to, llvm::Align(64));
    });
  });
}

} // namespace enfold::codegen
