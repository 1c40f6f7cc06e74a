# Writes OUTPUT, a C++ source that defines tilth::RuntimeObjects from object files.
# Usage: cmake -DOUTPUT=x.cc "-DX86_64=a.o,b.o" "-DAARCH64=c.o,d.o" -P embed_objects.cmake
set(source "#include \"compiler/runtime/embedded_runtime.h\"\n\nnamespace tilth {\nnamespace {\n")
foreach(arch X86_64 AARCH64)
  string(REPLACE "," ";" objects "${${arch}}")
  set(views "")
  set(number 0)
  foreach(object IN LISTS objects)
    file(READ "${object}" hex HEX)
    string(REGEX REPLACE "([0-9a-f][0-9a-f])" "0x\\1," bytes "${hex}")
    string(APPEND source "alignas(64) constexpr unsigned char k${arch}_${number}[] = {${bytes}};\n")
    string(APPEND views "View(k${arch}_${number}),")
    math(EXPR number "${number} + 1")
  endforeach()
  set(${arch}_views "${views}")
endforeach()
string(APPEND source "
template <size_t N>
std::string_view View(const unsigned char (&bytes)[N]) {
  return std::string_view(reinterpret_cast<const char*>(bytes), N);
}
}  // namespace

std::vector<std::string_view> RuntimeObjects(Arch arch) {
  if (arch == Arch::kAArch64) return {${AARCH64_views}};
  return {${X86_64_views}};
}

}  // namespace tilth
")
file(WRITE "${OUTPUT}" "${source}")
