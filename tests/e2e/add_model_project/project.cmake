# The CMakeLists.txt of a user's project with a model in it; model_commands_test.cc configures and builds it.
cmake_minimum_required(VERSION 3.22)
project(app LANGUAGES C)
find_package(Tilth REQUIRED)
tilth_add_model(tiny MODEL tiny.onnx THREADS 1)
add_executable(app app.c)
target_link_libraries(app PRIVATE tiny)
