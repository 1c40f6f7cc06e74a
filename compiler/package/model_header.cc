// NAME.h and example.c, the C face of a model library.
#include <cctype>
#include <filesystem>
#include <set>
#include <string_view>

#include "absl/strings/str_join.h"
#include "base/version.h"
#include "compiler/package/model_description.h"

namespace tilth {
namespace {

constexpr size_t kMaxNameLength = 100;

std::string Identifier(std::string_view text) {
  std::string result;
  for (const char c : text) result += std::isalnum(static_cast<unsigned char>(c)) ? c : '_';
  if (result.empty() || std::isdigit(static_cast<unsigned char>(result[0]))) result = StrCat("m_", result);
  return result.substr(0, kMaxNameLength);
}

std::string Upper(std::string text) {
  for (char& c : text) c = static_cast<char>(std::toupper(static_cast<unsigned char>(c)));
  return text;
}

std::string_view CType(DType dtype) {
  switch (dtype) {
    case DType::kF32:
      return "float";
    case DType::kF16:
    case DType::kBF16:
      return "uint16_t";
    case DType::kI8:
      return "int8_t";
    case DType::kI32:
      return "int32_t";
    case DType::kI64:
      return "int64_t";
    case DType::kBool:
      return "uint8_t";
  }
  return "void";
}

// A name from a model file, made safe inside a C comment.
std::string Printable(std::string_view text) {
  std::string result;
  for (const char c : text) result += std::isprint(static_cast<unsigned char>(c)) && c != '*' && c != '/' ? c : '_';
  return result;
}

struct Argument {
  std::string type;   // "const float*"
  std::string name;   // "in_data"
  std::string macro;  // "RESNET_IN_DATA"
  const Tensor* tensor;
};

std::vector<Argument> ArgumentsOf(const ModelDescription& model) {
  std::vector<Argument> arguments;
  std::set<std::string> names;
  const auto add = [&](const Tensor& tensor, std::string_view prefix, std::string_view qualifier) {
    std::string name = Identifier(StrCat(prefix, tensor.name));
    while (!names.insert(name).second) name += "_";
    arguments.push_back(
        {StrCat(qualifier, CType(tensor.dtype), "*"), name, Upper(StrCat(model.name, "_", name)), &tensor});
  };
  for (const Tensor& tensor : model.inputs) add(tensor, "in_", "const ");
  for (const Tensor& tensor : model.outputs) add(tensor, "out_", "");
  return arguments;
}

std::string JoinArguments(const std::vector<Argument>& arguments, bool inputs, size_t num_inputs) {
  std::vector<std::string> names;
  for (size_t i = 0; i < arguments.size(); ++i) {
    if ((i < num_inputs) == inputs) names.push_back(arguments[i].name);
  }
  return absl::StrJoin(names, ", ");
}

void AppendTensorMacros(const std::vector<Argument>& arguments, std::string* text) {
  for (const Argument& argument : arguments) {
    StrAppend(text, "/* ", Printable(argument.tensor->name), ": ", ToString(argument.tensor->dtype), " [",
              absl::StrJoin(argument.tensor->shape, ", "), "] */\n#define ", argument.macro, "_ELEMENTS ",
              NumElements(argument.tensor->shape), "\n#define ", argument.macro, "_BYTES ",
              SizeInBytes(*argument.tensor), "\n");
  }
}

// Replaces every "NAME" by the model's name.
std::string WithName(std::string_view text, const std::string& name) {
  std::string result(text);
  for (size_t at = 0; (at = result.find("NAME", at)) != std::string::npos; at += name.size()) {
    result.replace(at, 4, name);
  }
  return result;
}

constexpr std::string_view kInterface = R"(
/* Memory and threads for one run at a time. Several instances may run at the same time; they share the weights. */
typedef struct NAME_instance NAME_instance;

/* threads: how many work on a run, the caller's among them; 0 for the default of the build. Null without memory. */
NAME_instance* NAME_create(int32_t threads);
int32_t NAME_num_threads(const NAME_instance* instance);

/* One pointer per input and per output, in the order above. Returns 0, or 1 if a pointer is null. With kernel_ns not
 * null (NAME_NUM_KERNELS entries), adds the wall time of each kernel call to it. */
int32_t NAME_run(NAME_instance* instance, const void* const* inputs, void* const* outputs, uint64_t* kernel_ns);

/* Joins the threads and frees the memory; null is allowed. */
void NAME_destroy(NAME_instance* instance);
)";

}  // namespace

std::string ModelNameFromPath(const std::string& onnx_path) {
  std::error_code ignored;
  const std::filesystem::path path = std::filesystem::absolute(onnx_path, ignored);
  const std::string stem = path.stem().string();
  if (stem == "model" && path.parent_path().has_filename()) return Identifier(path.parent_path().filename().string());
  return Identifier(stem);
}

Status CheckModelName(const std::string& name) {
  if (Identifier(name) == name) return absl::OkStatus();
  return absl::InvalidArgumentError(StrCat("'", name,
                                           "' cannot be the name of a library: it must be a C identifier of at most ",
                                           kMaxNameLength, " characters, such as ", Identifier(name)));
}

std::string HeaderText(const ModelDescription& model) {
  const std::string guard = StrCat("TILTH_MODEL_", Upper(model.name), "_H_");
  const std::vector<Argument> arguments = ArgumentsOf(model);
  std::string text =
      StrCat("/* The model ", model.name, ", compiled by tilth ", kVersion, " for ", Printable(model.target),
             ". Link with -l", model.name, ".\n * Tensors are dense and row-major. */\n#ifndef ", guard, "\n#define ",
             guard, "\n\n#include <stdint.h>\n\n#ifdef __cplusplus\nextern \"C\" {\n#endif\n\n");
  StrAppend(&text, "enum {\n  ", model.name, "_NUM_INPUTS = ", model.inputs.size(), ",\n  ", model.name,
            "_NUM_OUTPUTS = ", model.outputs.size(), ",\n  ", model.name, "_NUM_KERNELS = ", model.calls.size(),
            "\n};\n\n");
  AppendTensorMacros(arguments, &text);
  text += WithName(kInterface, model.name);

  std::vector<std::string> parameters = {StrCat(model.name, "_instance* instance")};
  for (const Argument& argument : arguments) parameters.push_back(StrCat(argument.type, " ", argument.name));
  StrAppend(&text, "\n/* The same run with typed arguments. */\nstatic inline int32_t ", model.name, "_infer(",
            absl::StrJoin(parameters, ", "), ") {\n  const void* const inputs[] = {",
            JoinArguments(arguments, true, model.inputs.size()), model.inputs.empty() ? "0" : "",
            "};\n  void* const outputs[] = {", JoinArguments(arguments, false, model.inputs.size()),
            model.outputs.empty() ? "0" : "", "};\n  return ", model.name, "_run(instance, inputs, outputs, 0);\n}\n");
  StrAppend(&text, "\n#ifdef __cplusplus\n} /* extern \"C\" */\n#endif\n\n#endif /* ", guard, " */\n");
  return text;
}

std::string ExampleText(const ModelDescription& model) {
  const std::vector<Argument> arguments = ArgumentsOf(model);
  std::string text =
      StrCat("/* Runs ", model.name, " once on made-up inputs.\n *\n *   cc example.c -L. -l", model.name,
             " -Wl,-rpath,'$ORIGIN' -o example && ./example\n */\n#include <stdio.h>\n#include <stdlib.h>\n\n"
             "#include \"",
             model.name, ".h\"\n\nint main(void) {\n");
  std::vector<std::string> call = {"instance"};
  for (const Argument& argument : arguments) {
    call.push_back(argument.name);
    const std::string type(CType(argument.tensor->dtype));
    StrAppend(&text, "  ", type, "* ", argument.name, " = calloc(", argument.macro, "_ELEMENTS, sizeof(", type,
              "));\n");
  }
  StrAppend(&text, "  ", model.name, "_instance* instance = ", model.name, "_create(0);\n  if (instance == NULL");
  for (const Argument& argument : arguments) StrAppend(&text, " || ", argument.name, " == NULL");
  StrAppend(&text, ") {\n    fprintf(stderr, \"out of memory\\n\");\n    return 1;\n  }\n");
  for (size_t i = 0; i < model.inputs.size(); ++i) {
    if (model.inputs[i].dtype != DType::kF32) continue;  // zeros are valid indices and flags
    StrAppend(&text, "  for (int64_t i = 0; i < ", arguments[i].macro, "_ELEMENTS; ++i) ", arguments[i].name,
              "[i] = (float)(i % 17) / 17 - 0.5f;\n");
  }
  StrAppend(&text, "\n  int32_t status = ", model.name, "_infer(", absl::StrJoin(call, ", "),
            ");\n  if (status != 0) {\n    fprintf(stderr, \"the run failed with status %d\\n\", (int)status);\n"
            "    return 1;\n  }\n");
  for (size_t i = model.inputs.size(); i < arguments.size(); ++i) {
    const Argument& argument = arguments[i];
    const bool is_float = argument.tensor->dtype == DType::kF32;
    StrAppend(&text, "  printf(\"", argument.name, ":\");\n  for (int64_t i = 0; i < 5 && i < ", argument.macro,
              "_ELEMENTS; ++i) printf(\" ", is_float ? "%g" : "%lld", "\", ", is_float ? "" : "(long long)",
              argument.name, "[i]);\n  printf(\"\\n\");\n");
  }
  StrAppend(&text, "\n  ", model.name, "_destroy(instance);\n");
  for (const Argument& argument : arguments) StrAppend(&text, "  free(", argument.name, ");\n");
  return text + "  return 0;\n}\n";
}

}  // namespace tilth
