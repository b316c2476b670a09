# ringkernel_add_kernels(TARGET FILE.rk.c...): compiles kernel sources into a target.
#
# For the host compiler a kernel source is ordinary C11. The objects are part of the target itself, not of an
# archive, so the linker keeps the table by which each of them describes its kernels.
function(ringkernel_add_kernels target)
    if(NOT TARGET ${target})
        message(FATAL_ERROR "ringkernel_add_kernels: there is no target '${target}'")
    endif()
    if(NOT CMAKE_C_COMPILER_LOADED)
        message(FATAL_ERROR "ringkernel_add_kernels: kernels are C: add C to the LANGUAGES of project()")
    endif()
    foreach(file IN LISTS ARGN)
        cmake_path(ABSOLUTE_PATH file BASE_DIRECTORY ${CMAKE_CURRENT_SOURCE_DIR} NORMALIZE OUTPUT_VARIABLE path)
        if(NOT EXISTS ${path})
            message(FATAL_ERROR "ringkernel_add_kernels: there is no file ${path}")
        endif()
        set_source_files_properties(${path} TARGET_DIRECTORY ${target} PROPERTIES LANGUAGE C)
        target_sources(${target} PRIVATE ${path})
    endforeach()
    target_compile_features(${target} PRIVATE c_std_11)
    target_include_directories(${target} PRIVATE
        $<TARGET_PROPERTY:ringkernel::ringkernel_static,INTERFACE_INCLUDE_DIRECTORIES>)
endfunction()
