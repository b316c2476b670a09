# Optional libraries: found by pkg-config, or the feature is left out and the configure output says so.
find_package(PkgConfig QUIET)

# rk_find_optional(NAME MODULE FEATURE): sets RK_HAVE_<NAME>; when it is true, PkgConfig::<NAME> can be linked.
macro(rk_find_optional name module feature)
    set(RK_HAVE_${name} FALSE)
    if(PkgConfig_FOUND)
        pkg_check_modules(${name} QUIET IMPORTED_TARGET ${module})
        if(${name}_FOUND)
            set(RK_HAVE_${name} TRUE)
        endif()
    endif()
    if(NOT RK_HAVE_${name})
        message(STATUS "ringkernel: ${name} not found: feature ${feature} is left out")
    endif()
endmacro()
