# What is installed: headers, the libraries, `rk`, pkg-config files, a CMake package; and as .deb and .tar.gz.
# Paths inside the installed files are relative to where they lie, so the tree can be moved.
include(CMakePackageConfigHelpers)
set(package_dir ${CMAKE_INSTALL_LIBDIR}/cmake/ringkernel)

install(DIRECTORY include/ringkernel DESTINATION ${CMAKE_INSTALL_INCLUDEDIR} FILES_MATCHING PATTERN "*.h")
install(TARGETS ringkernel_static ringkernel_shared EXPORT ringkernelTargets)
if(TARGET ringkernel_checkpoint_shared)
    # The static one names LMDB and xxHash by pkg-config: `pkg-config --static --libs ringkernel-checkpoint`.
    install(TARGETS ringkernel_checkpoint_static ringkernel_checkpoint_shared EXPORT ringkernelCheckpointTargets)
    install(EXPORT ringkernelCheckpointTargets NAMESPACE ringkernel:: DESTINATION ${package_dir})
endif()
if(TARGET ringkernel_json)
    install(TARGETS ringkernel_json EXPORT ringkernelJsonTargets)
    install(EXPORT ringkernelJsonTargets NAMESPACE ringkernel:: DESTINATION ${package_dir})
endif()
install(EXPORT ringkernelTargets NAMESPACE ringkernel:: DESTINATION ${package_dir})
if(TARGET rk)
    install(TARGETS rk)
    file(GLOB apps CONFIGURE_DEPENDS examples/*/app.yaml examples/*/CMakeLists.txt)
    install(FILES examples/host.h DESTINATION ${CMAKE_INSTALL_DATADIR}/ringkernel/examples)
    foreach(app IN LISTS apps) # what `rk init --from` copies
        cmake_path(GET app PARENT_PATH folder)
        install(DIRECTORY ${folder} DESTINATION ${CMAKE_INSTALL_DATADIR}/ringkernel/examples USE_SOURCE_PERMISSIONS
            PATTERN __pycache__ EXCLUDE)
    endforeach()
endif()

cmake_path(SET from_pc NORMALIZE "${CMAKE_INSTALL_LIBDIR}/pkgconfig")
cmake_path(RELATIVE_PATH CMAKE_INSTALL_PREFIX
    BASE_DIRECTORY "${CMAKE_INSTALL_PREFIX}/${from_pc}" OUTPUT_VARIABLE pc_to_prefix)
configure_file(cmake/ringkernel.pc.in ringkernel.pc @ONLY)
install(FILES ${PROJECT_BINARY_DIR}/ringkernel.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
if(TARGET ringkernel_json)
    configure_file(cmake/ringkernel-json.pc.in ringkernel-json.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/ringkernel-json.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()
if(TARGET ringkernel_checkpoint_shared)
    configure_file(cmake/ringkernel-checkpoint.pc.in ringkernel-checkpoint.pc @ONLY)
    install(FILES ${PROJECT_BINARY_DIR}/ringkernel-checkpoint.pc DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endif()

configure_package_config_file(cmake/ringkernelConfig.cmake.in ringkernelConfig.cmake INSTALL_DESTINATION ${package_dir})
write_basic_package_version_file(ringkernelConfigVersion.cmake COMPATIBILITY SameMinorVersion)
install(FILES ${PROJECT_BINARY_DIR}/ringkernelConfig.cmake ${PROJECT_BINARY_DIR}/ringkernelConfigVersion.cmake
    cmake/RingkernelKernels.cmake DESTINATION ${package_dir})
install(FILES LICENSE DESTINATION ${CMAKE_INSTALL_DOCDIR})

set(CPACK_GENERATOR "DEB;TGZ")
set(CPACK_PACKAGE_VENDOR "The ringkernel authors")
set(CPACK_PACKAGE_CONTACT "The ringkernel authors")
set(CPACK_RESOURCE_FILE_LICENSE ${PROJECT_SOURCE_DIR}/LICENSE)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION libdevel)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "gcc | clang, libhwloc15") # rk compiles kernels; workers are bound to cores
include(CPack)
