#include "compiler/codegen/machine_parser.h"

#include <llvm/MC/MCContext.h>
#include <llvm/MC/MCObjectFileInfo.h>
#include <llvm/MC/MCParser/MCAsmParser.h>
#include <llvm/MC/MCParser/MCTargetAsmParser.h>
#include <llvm/MC/MCStreamer.h>
#include <llvm/MC/MCSymbol.h>
#include <llvm/MC/MCTargetOptions.h>
#include <llvm/MCA/Context.h>
#include <llvm/MCA/CustomBehaviour.h>
#include <llvm/MCA/InstrBuilder.h>
#include <llvm/MCA/Pipeline.h>
#include <llvm/MCA/SourceMgr.h>
#include <llvm/Support/MemoryBuffer.h>
#include <llvm/Support/SourceMgr.h>
#include <llvm/Support/TargetSelect.h>
#include <llvm/Support/raw_ostream.h>

#include <map>
#include <mutex>

namespace tilth {
namespace {

// Enough that the first, cold iterations do not show.
constexpr unsigned kIterations = 200;

// Keeps instructions and where labels are.
class Recorder : public llvm::MCStreamer {
 public:
  explicit Recorder(llvm::MCContext& context) : llvm::MCStreamer(context) {}

  void emitInstruction(const llvm::MCInst& instruction, const llvm::MCSubtargetInfo&) override {
    instructions.push_back(instruction);
  }
  void emitLabel(llvm::MCSymbol* symbol, llvm::SMLoc location) override {
    llvm::MCStreamer::emitLabel(symbol, location);
    labels[symbol] = instructions.size();
  }
  bool emitSymbolAttribute(llvm::MCSymbol*, llvm::MCSymbolAttr) override { return true; }
  void emitCommonSymbol(llvm::MCSymbol*, uint64_t, llvm::Align) override {}
  void emitZerofill(llvm::MCSection*, llvm::MCSymbol*, uint64_t, llvm::Align, llvm::SMLoc) override {}

  std::vector<llvm::MCInst> instructions;
  std::map<const llvm::MCSymbol*, size_t> labels;
};

void InitialiseParsers() {
  static std::once_flag once;
  std::call_once(once, [] {
    LLVMInitializeX86TargetInfo();
    LLVMInitializeX86TargetMC();
    LLVMInitializeX86AsmParser();
    LLVMInitializeAArch64TargetInfo();
    LLVMInitializeAArch64TargetMC();
    LLVMInitializeAArch64AsmParser();
  });
}

}  // namespace

struct MachineParser::Text {
  llvm::SourceMgr source;
  std::unique_ptr<llvm::MCContext> context;
  std::unique_ptr<llvm::MCObjectFileInfo> sections;
};

StatusOr<std::unique_ptr<MachineParser>> MachineParser::Create(const Target& target) {
  InitialiseParsers();
  std::unique_ptr<MachineParser> self(new MachineParser);
  std::string error;
  self->triple_ = llvm::Triple(target.triple);
  self->backend_ = llvm::TargetRegistry::lookupTarget(target.triple, error);
  if (!self->backend_) return absl::NotFoundError(StrCat("no assembler for ", target.triple, ": ", error));
  self->registers_.reset(self->backend_->createMCRegInfo(target.triple));
  self->assembly_info_.reset(self->backend_->createMCAsmInfo(*self->registers_, target.triple, {}));
  self->subtarget_.reset(self->backend_->createMCSubtargetInfo(target.triple, target.cpu, target.features));
  self->instructions_.reset(self->backend_->createMCInstrInfo());
  self->analysis_.reset(self->backend_->createMCInstrAnalysis(self->instructions_.get()));
  self->printer_.reset(self->backend_->createMCInstPrinter(self->triple_, self->assembly_info_->getAssemblerDialect(),
                                                           *self->assembly_info_, *self->instructions_,
                                                           *self->registers_));
  if (!self->subtarget_->getSchedModel().hasInstrSchedModel())
    return absl::NotFoundError(StrCat("LLVM has no scheduling model for ", target.cpu));
  return self;
}

StatusOr<ParsedAssembly> MachineParser::Parse(const std::string& text) {
  auto parsed_text = std::make_shared<Text>();
  Text& t = *parsed_text;
  t.source.AddNewSourceBuffer(llvm::MemoryBuffer::getMemBufferCopy(text), llvm::SMLoc());
  std::string errors;
  t.source.setDiagHandler([](const llvm::SMDiagnostic& diagnostic,
                             void* all) { *static_cast<std::string*>(all) += diagnostic.getMessage().str() + "; "; },
                          &errors);
  t.context =
      std::make_unique<llvm::MCContext>(triple_, assembly_info_.get(), registers_.get(), subtarget_.get(), &t.source);
  t.sections.reset(backend_->createMCObjectFileInfo(*t.context, /*PIC=*/true));
  t.context->setObjectFileInfo(t.sections.get());
  Recorder recorder(*t.context);
  backend_->createNullTargetStreamer(recorder);
  std::unique_ptr<llvm::MCAsmParser> parser(llvm::createMCAsmParser(t.source, *t.context, recorder, *assembly_info_));
  std::unique_ptr<llvm::MCTargetAsmParser> target_parser(
      backend_->createMCAsmParser(*subtarget_, *parser, *instructions_, {}));
  parser->setTargetParser(*target_parser);
  if (parser->Run(/*NoInitialTextSection=*/false)) return absl::InvalidArgumentError(StrCat("bad assembly: ", errors));

  ParsedAssembly result;
  result.instructions = std::move(recorder.instructions);
  for (const llvm::MCInst& instruction : result.instructions) {
    std::optional<size_t>& target = result.branch_target.emplace_back();
    result.never_falls_through.push_back(DescriptionOf(instruction).isBarrier());
    if (!DescriptionOf(instruction).isBranch()) continue;
    for (const llvm::MCOperand& operand : instruction) {
      if (!operand.isExpr()) continue;
      const auto* symbol = llvm::dyn_cast<llvm::MCSymbolRefExpr>(operand.getExpr());
      const auto label = symbol ? recorder.labels.find(&symbol->getSymbol()) : recorder.labels.end();
      if (label != recorder.labels.end()) target = label->second;
    }
  }
  texts_.push_back(std::move(parsed_text));
  return result;
}

std::string MachineParser::ToText(const llvm::MCInst& instruction) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  printer_->printInst(&instruction, 0, "", *subtarget_, stream);
  const size_t begin = text.find_first_not_of(" \t");
  text.erase(0, begin == std::string::npos ? 0 : begin);
  for (char& c : text)
    if (c == '\t') c = ' ';
  return text;
}

bool MachineParser::UsesStackPointer(const llvm::MCInst& instruction) const {
  for (const llvm::MCOperand& operand : instruction) {
    if (!operand.isReg() || !operand.getReg()) continue;
    const llvm::StringRef name = registers_->getName(operand.getReg());
    if (name == "RSP" || name == "SP") return true;
  }
  return false;
}

StatusOr<double> MachineParser::CyclesPerIteration(const std::vector<llvm::MCInst>& loop) const {
  llvm::mca::InstrumentManager instruments(*subtarget_, *instructions_);
  llvm::mca::InstrBuilder builder(*subtarget_, *instructions_, *registers_, analysis_.get(), instruments,
                                  /*CallLatency=*/100);
  std::vector<std::unique_ptr<llvm::mca::Instruction>> sequence;
  for (const llvm::MCInst& instruction : loop) {
    llvm::Expected<std::unique_ptr<llvm::mca::Instruction>> made = builder.createInstruction(instruction, {});
    if (!made) {
      llvm::consumeError(made.takeError());
      return absl::UnimplementedError(
          StrCat("the scheduling model of ", subtarget_->getCPU().str(), " lacks ", NameOf(instruction).str()));
    }
    sequence.push_back(std::move(*made));
  }
  llvm::mca::Context context(*registers_, *subtarget_);
  llvm::mca::CircularSourceMgr source(sequence, kIterations);
  llvm::mca::CustomBehaviour behaviour(*subtarget_, source, *instructions_);
  const llvm::mca::PipelineOptions options(/*UOPQSize=*/0, /*DecThr=*/0, /*DW=*/0, /*RFS=*/0, /*LQS=*/0, /*SQS=*/0,
                                           /*NoAlias=*/true);
  std::unique_ptr<llvm::mca::Pipeline> pipeline = context.createDefaultPipeline(options, source, behaviour);
  llvm::Expected<unsigned> cycles = pipeline->run();
  if (!cycles) {
    llvm::consumeError(cycles.takeError());
    return absl::InternalError("the machine-code analyser stopped");
  }
  return static_cast<double>(*cycles) / kIterations;
}

}  // namespace tilth
