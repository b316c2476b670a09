# Every X_test.c under src/ and tests/ is a program and a ctest test of that name, labelled with its folder;
# every X_test.py and X_test.sh is a test too, and every X_fuzz.c replays its corpus. Names are unique in the
# repository. Programs find the tree by RK_SOURCE_DIR and RK_BINARY_DIR, and the built command and library by
# the environment: RK_COMMAND, RK_LIBRARY; RK_SANITIZERS names the sanitizers of the build, RK_C_COMPILER_ID and RK_C_FLAGS its
# compiler and what that is told.
if(NOT RK_TESTS AND NOT RK_FUZZ)
    return()
endif()
enable_testing()
rk_find_optional(cmocka cmocka "unit tests by cmocka itself")
if(RK_MINIMAL_CMOCKA)
    set(RK_HAVE_cmocka FALSE)
endif()
if(RK_HAVE_cmocka)
    add_library(test_cmocka ALIAS PkgConfig::cmocka)
else()
    message(STATUS "ringkernel: unit tests use tests/minimal/cmocka.h")
    add_library(test_cmocka STATIC ${PROJECT_SOURCE_DIR}/tests/minimal/cmocka.c)
    target_include_directories(test_cmocka PUBLIC ${PROJECT_SOURCE_DIR}/tests/minimal)
endif()

set(test_environment RK_SOURCE_DIR=${PROJECT_SOURCE_DIR} RK_BINARY_DIR=${PROJECT_BINARY_DIR}
    RK_LIBRARY=$<TARGET_FILE:ringkernel_shared> RK_C_COMPILER_ID=${CMAKE_C_COMPILER_ID}
    "RK_C_FLAGS=${CMAKE_C_FLAGS} ${CMAKE_C_FLAGS_${build_type}}")
if(RK_SANITIZE)
    list(JOIN RK_SANITIZE "," sanitizers)
    list(APPEND test_environment RK_SANITIZERS=${sanitizers})
endif()
if(TARGET rk)
    list(APPEND test_environment RK_COMMAND=$<TARGET_FILE:rk>)
endif()

# rk_add_test(NAME FILE COMMAND...): a ctest test with the properties that all of ours have.
function(rk_add_test name file)
    cmake_path(GET file PARENT_PATH folder)
    cmake_path(GET folder FILENAME label)
    add_test(NAME ${name} COMMAND ${ARGN})
    set_tests_properties(${name} PROPERTIES TIMEOUT 600 LABELS ${label} SKIP_RETURN_CODE 77
        ENVIRONMENT "${test_environment}")
    # Leaks are not looked for where a device's own compiler is loaded: its threads may end while the search stops them.
    if(name MATCHES "^rk_(check|devices)_test$")
        set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT
            "ASAN_OPTIONS=detect_leaks=0:strict_string_checks=1:check_initialization_order=1")
    endif()
    # The presets share out two processors in six parts. Most tests wait for a third of their time, and those that keep a compiler
    # busy don't; some do little else. The threads of an emulated GPU spin: two of them take longer beside each other than one behind the other.
    set(parts 2)
    if(name IN_LIST RK_SPINNING_TESTS)
        set(parts 6)
    elseif(name MATCHES "^emulated_")
        set(parts 4)
    elseif(name IN_LIST RK_BUSY_TESTS OR name MATCHES "^opencl_" OR label STREQUAL gate)
        set(parts 3)
    elseif(name IN_LIST RK_WAITING_TESTS)
        set(parts 1)
    endif()
    set_tests_properties(${name} PROPERTIES PROCESSORS ${parts})
    if(name IN_LIST RK_LONG_TESTS OR name MATCHES "^emulated_")
        set_tests_properties(${name} PROPERTIES COST 100)
    endif()
    if(name MATCHES "^rk_(job|sanitizers)_test$") # those of their folder that ThreadSanitizer sees in CI
        set_property(TEST ${name} APPEND PROPERTY LABELS job)
    endif()
endfunction()

# rk_test_code(NAME): what all code of tests is compiled with.
function(rk_test_code name)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src
        ${PROJECT_SOURCE_DIR}/tests)
    target_compile_definitions(${name} PRIVATE RK_SOURCE_DIR="${PROJECT_SOURCE_DIR}"
        RK_BINARY_DIR="${PROJECT_BINARY_DIR}" RK_BUILD_VERSION="${PROJECT_VERSION}")
    # What is tested is the library, and kernels: the tests' own code is soon compiled, but where its loops are long.
    if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo" AND NOT name IN_LIST RK_LOOPING_TESTS)
        target_compile_options(${name} PRIVATE -O1 -g1)
    endif()
    if("undefined" IN_LIST RK_SANITIZE)
        target_compile_options(${name} PRIVATE -fno-sanitize=undefined)
    endif()
endfunction()

# rk_test_program(NAME FILE...): a program of the tests, linked so that hidden internals can be reached.
function(rk_test_program name)
    add_executable(${name} ${ARGN})
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    rk_test_code(${name})
    target_link_libraries(${name} PRIVATE $<TARGET_NAME_IF_EXISTS:rk_cli>
        $<TARGET_NAME_IF_EXISTS:ringkernel_json> ringkernel_static Threads::Threads ${CMAKE_DL_LIBS})
    if(name MATCHES "^checkpoint" AND TARGET ringkernel_checkpoint_static)
        target_link_libraries(${name} PRIVATE ringkernel_checkpoint_static PkgConfig::lmdb)
    endif()
endfunction()

# rk_can_build(VARIABLE FILE): false for a test of something that is left out itself.
function(rk_can_build variable file)
    cmake_path(RELATIVE_PATH file BASE_DIRECTORY ${PROJECT_SOURCE_DIR} OUTPUT_VARIABLE relative)
    string(REGEX REPLACE "_(test|fuzz)\\.c$" ".c" tested ${relative})
    set(${variable} TRUE PARENT_SCOPE)
    if(((tested STREQUAL src/message/json_parse.c OR tested STREQUAL tests/fuzz/ndjson.c)
        AND NOT TARGET ringkernel_json)
       OR ((relative MATCHES "^(src|tests)/cli/" OR tested STREQUAL tests/fuzz/app.c) AND NOT TARGET rk)
       OR (tested MATCHES "/checkpoint[a-z_]*\\.c$" AND NOT TARGET ringkernel_checkpoint_static)
       OR (tested MATCHES "/cuda/[a-z]+_abi\\.c$" AND NOT RK_CUDA_INCLUDE_DIR)
       OR (tested MATCHES "/opencl_abi\\.c$" AND NOT RK_OPENCL_INCLUDE_DIR))
        set(${variable} FALSE PARENT_SCOPE)
    endif()
endfunction()

# --- fuzz targets: with libFuzzer they search, otherwise they replay tests/fuzz/corpus/X -----------------------
file(GLOB fuzz_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/fuzz/*_fuzz.c)
foreach(file IN LISTS fuzz_sources)
    cmake_path(GET file STEM name)
    string(REGEX REPLACE "_fuzz$" "" subject ${name})
    rk_can_build(can_build ${file})
    if(NOT can_build)
        continue()
    endif()
    if(RK_FUZZ)
        rk_test_program(${name} ${file})
        target_link_options(${name} PRIVATE -fsanitize=fuzzer)
    else()
        rk_test_program(${name} ${file} ${PROJECT_SOURCE_DIR}/tests/fuzz/replay.c)
        rk_add_test(${name} ${file} ${name} ${PROJECT_SOURCE_DIR}/tests/fuzz/corpus/${subject})
    endif()
endforeach()
if(RK_FUZZ)
    return()
endif()

# --- CUDA: its headers, to compare ours with, and a driver and a compiler without a device ---------------------
find_path(RK_CUDA_INCLUDE_DIR cudaTypedefs.h PATHS /usr/local/cuda/include $ENV{CUDA_HOME}/include)
if(NOT RK_CUDA_INCLUDE_DIR)
    message(STATUS "ringkernel: cuda.h not found: feature comparison with CUDA's own headers is left out")
endif()

find_path(RK_OPENCL_INCLUDE_DIR CL/cl.h)
if(NOT RK_OPENCL_INCLUDE_DIR)
    message(STATUS "ringkernel: CL/cl.h not found: feature comparison with OpenCL's own headers is left out")
endif()

# rk_mock(NAME FILE SOURCE...): the library tests/mock/FILE of the build, in place of the real one. It has no
# soname, so that a program can load the real one as well.
function(rk_mock name file)
    add_library(${name} MODULE ${ARGN})
    set_target_properties(${name} PROPERTIES PREFIX "" SUFFIX "" OUTPUT_NAME ${file} NO_SONAME ON
        LIBRARY_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests/mock)
    target_include_directories(${name} PRIVATE ${PROJECT_SOURCE_DIR}/include ${PROJECT_SOURCE_DIR}/src)
endfunction()
file(GLOB mock_cuda_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/mock/mock_cuda*.c)
rk_mock(mock_cuda libcuda.so.1 ${mock_cuda_sources})
rk_mock(mock_opencl libOpenCL.so.1 ${PROJECT_SOURCE_DIR}/tests/mock/mock_opencl.c)
rk_mock(mock_nvrtc libnvrtc.so.13 ${PROJECT_SOURCE_DIR}/tests/mock/mock_nvrtc.c)

# A driver and a compiler that run kernels, on the CPU: tests/emulator.
if(CMAKE_CXX_COMPILER)
    rk_mock(emulated_cuda libcuda.so.1 ${mock_cuda_sources} ${PROJECT_SOURCE_DIR}/tests/emulator/emulator.c
        ${PROJECT_SOURCE_DIR}/src/backend/cpu/fiber.c ${PROJECT_SOURCE_DIR}/src/backend/cpu/fiber_jump.S)
    rk_mock(emulated_nvrtc libnvrtc.so.13 ${PROJECT_SOURCE_DIR}/tests/emulator/compiler.c)
    set_target_properties(emulated_cuda emulated_nvrtc PROPERTIES LIBRARY_OUTPUT_DIRECTORY
        ${PROJECT_BINARY_DIR}/tests/emulator)
    target_compile_definitions(emulated_cuda PRIVATE RK_FIBER_STACK_BYTES=1048576u RK_FIBER_GUARD_PAGES=0u)
    target_include_directories(emulated_cuda PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    target_include_directories(emulated_nvrtc PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    find_program(RK_EMULATOR_CXX clang++) # half as long as g++
    if(NOT RK_EMULATOR_CXX)
        set(RK_EMULATOR_CXX ${CMAKE_CXX_COMPILER})
    endif()
    target_compile_definitions(emulated_nvrtc PRIVATE EMU_COMPILER="${RK_EMULATOR_CXX}"
        EMU_HEADERS="${PROJECT_SOURCE_DIR}/tests/emulator")
endif()

# --- unit tests and tests of several parts --------------------------------------------------------------------
file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/kernels/*.rk.c
     ${PROJECT_SOURCE_DIR}/examples/pagerank/*.rk.c) # a contract case runs that example on a small graph
if(kernels)
    add_library(test_kernels OBJECT)
    target_include_directories(test_kernels PRIVATE ${PROJECT_SOURCE_DIR}/tests)
    ringkernel_add_kernels(test_kernels ${kernels})
    if(CMAKE_BUILD_TYPE STREQUAL "RelWithDebInfo")
        target_compile_options(test_kernels PRIVATE -O1 -g1)
    endif()
endif()

add_custom_target(gpu_check) # what scripts/gpu-check runs
file(GLOB_RECURSE test_sources CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/src/*_test.c
     ${PROJECT_SOURCE_DIR}/tests/*_test.c)
foreach(file IN LISTS test_sources)
    cmake_path(GET file STEM name)
    cmake_path(GET file PARENT_PATH folder)
    rk_can_build(can_build ${file})
    if(NOT can_build)
        continue()
    endif()
    if(TARGET ${name})
        message(FATAL_ERROR "two tests are called ${name}; the second is ${file}")
    endif()

    rk_test_program(${name} ${file})
    target_link_libraries(${name} PRIVATE test_cmocka)
    if(RK_SANITIZE AND name IN_LIST RK_LOOPING_TESTS)
        target_compile_options(${name} PRIVATE -O1)
    endif()
    # Under tests/, the other sources of the folder are shared by its tests: compiled once.
    set(companions)
    if(folder MATCHES "^${PROJECT_SOURCE_DIR}/tests/")
        file(GLOB companions CONFIGURE_DEPENDS ${folder}/*.c)
        list(FILTER companions EXCLUDE REGEX "(_test|_bench|_fuzz|\\.rk|/replay)\\.c$")
    endif()
    if(companions)
        cmake_path(GET folder FILENAME shared)
        if(NOT TARGET shared_${shared})
            add_library(shared_${shared} OBJECT ${companions})
            rk_test_code(shared_${shared})
            target_link_libraries(shared_${shared} PRIVATE test_cmocka)
        endif()
        target_link_libraries(${name} PRIVATE shared_${shared})
    endif()
    if(file MATCHES "/backend/cuda/")
        add_dependencies(${name} mock_cuda mock_nvrtc)
        if(RK_CUDA_INCLUDE_DIR)
            target_include_directories(${name} SYSTEM PRIVATE ${RK_CUDA_INCLUDE_DIR})
        endif()
    endif()
    if(name STREQUAL "faults_test") # each allocation fails once
        target_link_options(${name} PRIVATE LINKER:--wrap=malloc,--wrap=calloc,--wrap=realloc,--wrap=aligned_alloc)
    endif()
    if(name STREQUAL "pipelines_test") # calls that these note
        target_link_options(${name} PRIVATE LINKER:--wrap=rk_terminate)
    elseif(name STREQUAL "supervision_test")
        target_link_options(${name} PRIVATE LINKER:--wrap=rk_kernel_deactivate)
    endif()
    if(file MATCHES "/backend/opencl/")
        add_dependencies(${name} mock_opencl)
    endif()
    if(name STREQUAL "checkpoint_lost_test" AND TARGET emulated_cuda)
        add_dependencies(${name} emulated_cuda emulated_nvrtc)
    endif()
    if(TARGET test_kernels AND (name IN_LIST RK_TESTS_WITH_KERNELS OR folder MATCHES "/tests/contract$"))
        target_link_libraries(${name} PRIVATE test_kernels)
    endif()
    if(folder MATCHES "/(tests/contract|backend/cuda)$")
        add_dependencies(gpu_check ${name})
    endif()
    rk_add_test(${name} ${file} ${name})
endforeach()

# --- programs of tests/gpu, which scripts/gpu-check runs: they link the static library as a user's would ---------
# rk_gpu_program(NAME FILE KERNEL.rk.c...): tests/gpu/FILE.c and its kernels.
function(rk_gpu_program name file)
    add_executable(${name} ${PROJECT_SOURCE_DIR}/tests/gpu/${file}.c)
    set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/tests)
    target_link_libraries(${name} PRIVATE ringkernel_static Threads::Threads ${CMAKE_DL_LIBS})
    ringkernel_add_kernels(${name} ${ARGN})
    add_dependencies(gpu_check ${name})
endfunction()
# The examples that are apps, without `rk`; those that are programs are there anyway.
foreach(app flight-delays pagerank weather-watch order-matching prime-count mandelbrot connections life)
    file(GLOB kernels CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/examples/${app}/*.rk.c)
    rk_gpu_program(app_${app} apps ${kernels})
    target_compile_definitions(app_${app} PRIVATE RK_APP="${app}")
endforeach()
add_dependencies(gpu_check example_bank example_inference example_quotes)
rk_gpu_program(stress stress ${PROJECT_SOURCE_DIR}/tests/gpu/stress.rk.c)
rk_gpu_program(peers peers ${PROJECT_SOURCE_DIR}/tests/gpu/peers.rk.c)
rk_gpu_program(trap trap ${PROJECT_SOURCE_DIR}/tests/gpu/trap.rk.c)
# These reach for the driver as the backend does.
foreach(name litmus residents compile)
    rk_test_program(${name} ${PROJECT_SOURCE_DIR}/tests/gpu/${name}.c)
    add_dependencies(gpu_check ${name})
endforeach()
target_link_libraries(compile PRIVATE test_kernels)
ringkernel_add_kernels(residents ${PROJECT_SOURCE_DIR}/tests/gpu/residents.rk.c)

# --- the contract on an OpenCL device, where there is one: PoCL takes seconds to compile a kernel, so a part of it ----------
if(NOT RK_SANITIZE) # they would report what PoCL and LLVM do
    # Another way to compile, for 32-bit atomics or SPMD, is tried by one suite; large messages are refused where copies are
    # made.
    set(opencl_queues_variants "opencl-step,opencl-32-bit")
    set(opencl_lifecycle_variants "opencl-slices-spmd,opencl-persistent")
    set(opencl_relaunch_variants "opencl-slices")
    set(opencl_large_messages_variants "opencl-persistent")
    set(opencl_drain_variants "opencl-shared")
    set(opencl_straight_variants "opencl-shared")
    set(opencl_guide_variants "opencl-shared")
    foreach(suite queues lifecycle relaunch large_messages drain straight guide)
        set(name opencl_${suite})
        rk_add_test(${name} ${PROJECT_SOURCE_DIR}/tests/contract/${suite}_test.c ${suite}_test)
        set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT RK_CONTRACT_VARIANTS=${${name}_variants} RK_CONTRACT_LIMIT=500
            RK_CONTRACT_PATIENCE=120 POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/opencl-cache
            XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/opencl-cache)
        set_tests_properties(${name} PROPERTIES TIMEOUT 1200)
    endforeach()
    rk_add_test(opencl_hanging ${PROJECT_SOURCE_DIR}/tests/contract/hanging_test.c hanging_test *replaced_where*)
    set_property(TEST opencl_hanging APPEND PROPERTY ENVIRONMENT RK_CONTRACT_VARIANTS=opencl-slices,opencl-shared,opencl-persistent
        RK_CONTRACT_LIMIT=500 RK_CONTRACT_PATIENCE=120 POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/opencl-cache
        XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/opencl-cache)
    set_tests_properties(opencl_hanging PROPERTIES TIMEOUT 600)
    rk_add_test(opencl_stress ${PROJECT_SOURCE_DIR}/tests/gpu/stress.c stress --backend opencl --seconds 2 --seed 1)
    set_property(TEST opencl_stress APPEND PROPERTY ENVIRONMENT POCL_CACHE_DIR=${PROJECT_BINARY_DIR}/opencl-cache
        XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/opencl-cache)
    set_tests_properties(opencl_stress PROPERTIES TIMEOUT 600)
endif()

# --- the contract on the emulated GPU: the kernels' own code, for what a mock can't say of it --------------------
if(TARGET emulated_cuda AND NOT RK_SANITIZE)
    set(emulated LD_LIBRARY_PATH=${PROJECT_BINARY_DIR}/tests/emulator XDG_CACHE_HOME=${PROJECT_BINARY_DIR}/emulated-cache)
    set(emulated_supervision_variants "cuda-persistent,cuda-slices")
    set(emulated_hanging_variants "cuda-persistent,cuda-slices")
    # Of all, which pass there but for a few that wait for more than it is good for, those that say most for the time that they take.
    foreach(suite queues routes requests snapshot checkpoint together leaving timers relaunch drain expiry deduplication bands
                  payload_relaunch dead_letters supervision hanging barriers state crew gathering)
        set(name emulated_${suite})
        rk_can_build(can_build ${PROJECT_SOURCE_DIR}/tests/contract/${suite}_test.c)
        if(NOT can_build)
            continue()
        endif()
        if(NOT ${name}_variants)
            set(${name}_variants cuda-persistent)
        endif()
        rk_add_test(${name} ${PROJECT_SOURCE_DIR}/tests/contract/${suite}_test.c ${suite}_test)
        set_property(TEST ${name} APPEND PROPERTY ENVIRONMENT ${emulated} RK_CONTRACT_VARIANTS=${${name}_variants}
            RK_CONTRACT_LIMIT=500 RK_CONTRACT_PATIENCE=120)
    endforeach()
    # And of three suites a part.
    rk_add_test(emulated_batches ${PROJECT_SOURCE_DIR}/tests/contract/payload_test.c payload_test *batch_handler*)
    rk_add_test(emulated_waits ${PROJECT_SOURCE_DIR}/tests/contract/telemetry_test.c telemetry_test waiting_times*)
    rk_add_test(emulated_stamps ${PROJECT_SOURCE_DIR}/tests/contract/dialect_test.c dialect_test *room*)
    foreach(part batches waits stamps)
        set_property(TEST emulated_${part} APPEND PROPERTY ENVIRONMENT ${emulated} RK_CONTRACT_VARIANTS=cuda-persistent
            RK_CONTRACT_LIMIT=500 RK_CONTRACT_PATIENCE=120)
    endforeach()
    rk_add_test(emulated_stress ${PROJECT_SOURCE_DIR}/tests/gpu/stress.c stress --backend cuda --seconds 2
        --queue 256 --threads 64)
    set_property(TEST emulated_stress APPEND PROPERTY ENVIRONMENT ${emulated})
    foreach(backend cuda cuda-slices)
        rk_add_test(emulated_trap_${backend} ${PROJECT_SOURCE_DIR}/tests/gpu/trap.c trap --backend ${backend})
        set_property(TEST emulated_trap_${backend} APPEND PROPERTY ENVIRONMENT ${emulated})
    endforeach()
endif()

# --- tests that are scripts -----------------------------------------------------------------------------------
file(GLOB_RECURSE script_tests CONFIGURE_DEPENDS
     ${PROJECT_SOURCE_DIR}/src/*_test.py ${PROJECT_SOURCE_DIR}/src/*_test.sh
     ${PROJECT_SOURCE_DIR}/tests/*_test.py ${PROJECT_SOURCE_DIR}/tests/*_test.sh
     ${PROJECT_SOURCE_DIR}/models/*_test.py ${PROJECT_SOURCE_DIR}/models/*_test.sh
     ${PROJECT_SOURCE_DIR}/examples/*_test.py ${PROJECT_SOURCE_DIR}/examples/*_test.sh)
foreach(file IN LISTS script_tests)
    cmake_path(GET file STEM name)
    rk_can_build(can_build ${file})
    if(can_build AND file MATCHES "\\.py$")
        rk_add_test(${name} ${file} /usr/bin/python3 ${file})
    elseif(can_build)
        rk_add_test(${name} ${file} bash ${file})
    endif()
endforeach()

# --- the installed tree, as a stranger's project would use it -------------------------------------------------
set(install_prefix ${PROJECT_BINARY_DIR}/install-test)
set(install_check ${PROJECT_SOURCE_DIR}/tests/install/check)
rk_add_test(install_tree ${install_check} ${install_check} install)
set_tests_properties(install_tree PROPERTIES FIXTURES_SETUP installed)
set(install_tests install_cmake_c install_cmake_cxx install_headers_c install_headers_cxx)
if(PkgConfig_FOUND)
    list(APPEND install_tests install_pkgconfig_c install_pkgconfig_cxx)
else()
    message(STATUS "ringkernel: pkg-config not found: feature tests of the pkg-config file is left out")
endif()
foreach(name IN LISTS install_tests)
    string(REGEX MATCH "^install_(.*)_(c|cxx)$" whole ${name})
    rk_add_test(${name} ${install_check} ${install_check} ${CMAKE_MATCH_1} ${CMAKE_MATCH_2})
    set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED installed)
endforeach()
if(NOT RK_INSTRUMENT_FLAGS) # the core, and tests of it, with a C compiler and CMake alone
    rk_add_test(install_core ${install_check} ${install_check} core)
    list(APPEND install_tests install_core)
endif()
if(PkgConfig_FOUND) # what the documents show of the installed library
    foreach(document README.md docs/first-handler.md)
        cmake_path(GET document STEM name)
        string(TOLOWER install_${name} name)
        string(REPLACE "-" "_" name ${name})
        set(lines)
        if(document STREQUAL README.md)
            set(lines 30) # so many and no more, of a whole program, is what it promises
        endif()
        rk_add_test(${name} ${install_check} /usr/bin/python3 ${PROJECT_SOURCE_DIR}/tests/install/document.py
            ${PROJECT_SOURCE_DIR}/${document} ${lines})
        set_tests_properties(${name} PROPERTIES FIXTURES_REQUIRED installed)
        list(APPEND install_tests ${name})
    endforeach()
endif()
list(JOIN RK_INSTRUMENT_FLAGS " " instrument_flags)
list(JOIN RK_HEADERS_C_ONLY " " headers_c_only)
set_property(TEST install_tree ${install_tests} APPEND PROPERTY ENVIRONMENT
    "RK_PREFIX=${install_prefix}" "RK_VERSION=${PROJECT_VERSION}" "RK_CMAKE=${CMAKE_COMMAND}"
    "RK_GENERATOR=${CMAKE_GENERATOR}" "RK_MAKE_PROGRAM=${CMAKE_MAKE_PROGRAM}" "RK_CC=${CMAKE_C_COMPILER}"
    "RK_CXX=${CMAKE_CXX_COMPILER}" "RK_FLAGS=${instrument_flags}" "RK_HEADERS_C_ONLY=${headers_c_only}"
    "RK_HAS_CHECKPOINTS=$<TARGET_EXISTS:ringkernel_checkpoint_shared>" "RK_HAS_JSON=$<TARGET_EXISTS:ringkernel_json>")
