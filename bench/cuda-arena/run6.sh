#!/bin/bash
export KIND=2 CPU=2
timeout 60 ./loop beside; echo rc $?
