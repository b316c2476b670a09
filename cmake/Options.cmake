# The options of a build and the flags that follow from them. Flags are set for the whole directory: everything
# here is our own code, and nothing of it reaches those who link the installed library.
option(RK_WERROR "Warnings are errors" ON)
option(RK_TESTS "Build the tests" ${PROJECT_IS_TOP_LEVEL})
option(RK_MINIMAL_CMOCKA "Unit tests use tests/minimal/cmocka.h even where cmocka is installed" OFF)
option(RK_BENCH "Build the benchmarks, against the peers that are found" OFF)
option(RK_GPU_BENCH "Build the benchmark of the GPU, where nvcc is found" OFF)
option(RK_CHECKPOINTS "Build the library of checkpoints, where LMDB and xxHash are found" ON)
option(RK_COVERAGE "Count executed lines" OFF)
option(RK_FUZZ "Build the fuzz targets with libFuzzer (clang only)" OFF)
set(RK_SANITIZE "" CACHE STRING "Sanitizers of the build: 'address;undefined', 'thread' or empty")

if(NOT CMAKE_BUILD_TYPE AND NOT CMAKE_CONFIGURATION_TYPES)
    set(CMAKE_BUILD_TYPE RelWithDebInfo CACHE STRING "Build type" FORCE)
endif()

set(CMAKE_C_STANDARD 11)
set(CMAKE_C_STANDARD_REQUIRED ON)
set(CMAKE_C_EXTENSIONS OFF)
set(CMAKE_C_VISIBILITY_PRESET hidden)
add_compile_definitions(_GNU_SOURCE)

# C++ is only for tests that the public headers compile as C++17, and for benchmark peers.
include(CheckLanguage)
check_language(CXX)
if(CMAKE_CXX_COMPILER)
    enable_language(CXX)
    set(CMAKE_CXX_STANDARD 17)
    set(CMAKE_CXX_STANDARD_REQUIRED ON)
else()
    message(STATUS "ringkernel: C++ compiler not found: feature tests of the headers as C++17 is left out")
endif()

add_compile_options(-Wall -Wextra -Wpointer-arith -Wvla -Wundef -Wwrite-strings
    "$<$<COMPILE_LANGUAGE:C>:-Wstrict-prototypes;-Wmissing-prototypes>")
if(RK_WERROR)
    add_compile_options(-Werror)
endif()

# What changes the machine code of the whole program: the run-time compiler of kernels and the programs that
# test the installed library need the same.
set(RK_INSTRUMENT_FLAGS)
if(RK_SANITIZE)
    list(JOIN RK_SANITIZE "," sanitizers)
    list(APPEND RK_INSTRUMENT_FLAGS -fsanitize=${sanitizers} -fno-sanitize-recover=all -fno-omit-frame-pointer)
endif()
string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
string(JOIN " " RK_COMPILE_FLAGS -std=c11 ${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}} ${RK_INSTRUMENT_FLAGS})

if(RK_COVERAGE)
    list(APPEND RK_INSTRUMENT_FLAGS --coverage -fprofile-update=atomic) # threads count without losing any
endif()
if(RK_FUZZ)
    add_compile_options(-fsanitize=fuzzer-no-link)
endif()
add_compile_options(${RK_INSTRUMENT_FLAGS})
add_link_options(${RK_INSTRUMENT_FLAGS})

# Nearly two hundred programs, each with a sanitizer's run time in it: lld takes half as long for them as the default linker.
if(RK_SANITIZE AND CMAKE_C_COMPILER_ID STREQUAL "Clang")
    include(CheckLinkerFlag)
    check_linker_flag(C -fuse-ld=lld RK_HAS_LLD)
    if(RK_HAS_LLD)
        add_link_options(-fuse-ld=lld)
    endif()
endif()
