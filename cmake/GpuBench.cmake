# bench/gpu: ringkernel on a GPU beside bare CUDA programs. What is bare is a shared library that nvcc makes,
# with the CUDA runtime inside; it shares the device's primary context with ringkernel.
if(NOT RK_GPU_BENCH)
    return()
endif()
find_program(RK_NVCC nvcc HINTS /usr/local/cuda/bin /opt/cuda/bin)
if(NOT RK_NVCC)
    message(STATUS "ringkernel: nvcc not found: feature benchmark of the GPU is left out")
    return()
endif()
set(RK_GPU_BENCH_ARCH native CACHE STRING "The -arch of the bare programs of bench/gpu")

set(gpu_folder ${PROJECT_SOURCE_DIR}/bench/gpu)
set(gpu_raw ${PROJECT_BINARY_DIR}/bench/libgpu_raw.so)
add_custom_command(OUTPUT ${gpu_raw}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/bench
    COMMAND ${RK_NVCC} -O3 -arch=${RK_GPU_BENCH_ARCH} -std=c++17 -cudart static -shared -Xcompiler -fPIC
            ${gpu_folder}/raw.cu -o ${gpu_raw} -lpthread
    DEPENDS ${gpu_folder}/raw.cu ${gpu_folder}/raw.h ${gpu_folder}/raw_slot.h ${gpu_folder}/trial.h
    COMMENT "Building the bare GPU programs" VERBATIM)
add_custom_target(gpu_raw_built DEPENDS ${gpu_raw})
add_library(gpu_raw SHARED IMPORTED)
set_target_properties(gpu_raw PROPERTIES IMPORTED_LOCATION ${gpu_raw} IMPORTED_NO_SONAME ON)
add_dependencies(gpu_raw gpu_raw_built)

file(GLOB gpu_sources CONFIGURE_DEPENDS ${gpu_folder}/*.c)
list(FILTER gpu_sources EXCLUDE REGEX "(\\.rk|_device)\\.c$")
add_executable(gpu_bench EXCLUDE_FROM_ALL ${gpu_sources} ${PROJECT_SOURCE_DIR}/bench/peer/manifest.c)
set_target_properties(gpu_bench PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
target_compile_definitions(gpu_bench PRIVATE RK_SOURCE_DIR="${PROJECT_SOURCE_DIR}")
target_link_libraries(gpu_bench PRIVATE ringkernel_static gpu_raw Threads::Threads ${CMAKE_DL_LIBS} m)
ringkernel_add_kernels(gpu_bench ${gpu_folder}/gpu_bench.rk.c)

# --- the patterns on a GPU, for scripts/gpu-patterns: PageRank beside one launch for each step, building blocks, stealing ------
set(gpu_steps ${PROJECT_BINARY_DIR}/bench/pagerank_steps)
add_custom_command(OUTPUT ${gpu_steps}
    COMMAND ${CMAKE_COMMAND} -E make_directory ${PROJECT_BINARY_DIR}/bench
    COMMAND ${RK_NVCC} -O3 -arch=${RK_GPU_BENCH_ARCH} -std=c++17 -cudart static ${gpu_folder}/pagerank_steps.cu -o ${gpu_steps}
    DEPENDS ${gpu_folder}/pagerank_steps.cu
    COMMENT "Building PageRank with a launch for each step" VERBATIM)
add_custom_target(gpu_patterns DEPENDS ${gpu_steps})
foreach(name primitives stealing)
    add_executable(${name}_device EXCLUDE_FROM_ALL ${gpu_folder}/${name}_device.c)
    set_target_properties(${name}_device PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${PROJECT_BINARY_DIR}/bench)
    target_include_directories(${name}_device PRIVATE ${PROJECT_SOURCE_DIR}/bench)
    target_link_libraries(${name}_device PRIVATE ringkernel_static Threads::Threads ${CMAKE_DL_LIBS})
    ringkernel_add_kernels(${name}_device ${PROJECT_SOURCE_DIR}/bench/${name}.rk.c)
    add_dependencies(gpu_patterns ${name}_device)
endforeach()
add_dependencies(gpu_patterns gpu_bench)
foreach(program app_pagerank example_inference)
    if(TARGET ${program})
        add_dependencies(gpu_patterns ${program})
    endif()
endforeach()
