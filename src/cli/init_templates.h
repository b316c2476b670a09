/* The apps that `rk init` writes. */
#ifndef RINGKERNEL_CLI_INIT_TEMPLATES_H
#define RINGKERNEL_CLI_INIT_TEMPLATES_H

typedef struct init_file {
    const char *name;
    const char *text;
} init_file;

typedef struct init_template {
    const char *name;
    const char *what;
    init_file files[6]; /* a file without a name ends them */
} init_template;

/* A template without a name ends them; the first is the default. */
extern const init_template init_templates[];

#endif
