/* The functions of a kernel source; see functions.h. */
#include "codegen/functions.h"

#include <stdlib.h>

static bool add(rk_function_list *list, rk_source_function function)
{
    if (list->count == list->room) {
        rk_u32 room = list->room ? list->room * 2 : 16;
        rk_source_function *grown = realloc(list->function, room * sizeof(*grown));
        if (grown == NULL) return false;
        list->function = grown;
        list->room = room;
    }
    list->function[list->count++] = function;
    return true;
}

static const rk_source_declaration *declaration_at(const rk_scan *scan, size_t token)
{
    for (rk_u32 i = 0; i < scan->count; i++)
        if (scan->declaration[i].token == token) return &scan->declaration[i];
    return NULL;
}

rk_status rk_list_functions(const rk_scan *scan, rk_function_list *list)
{
    const rk_tokens *tokens = &scan->tokens;
    *list = (rk_function_list){ .count = 0 };
    for (size_t i = 0; i < tokens->count; i++) {
        const rk_token *token = &tokens->token[i];
        if (rk_token_is(token, "{")) {
            i = rk_tokens_match(tokens, i);
        } else if (token->kind == RK_TOKEN_NAME && rk_token_is(&tokens->token[i + 1], "(")) {
            size_t close = rk_tokens_match(tokens, i + 1);
            if (close == tokens->count) break;
            size_t body = close + 1;
            if (rk_token_is(&tokens->token[body], "{")) {
                const rk_source_declaration *declaration = declaration_at(scan, i);
                rk_slice name = declaration != NULL ? rk_scan_kernel(scan, declaration) : token->slice;
                size_t end = rk_tokens_match(tokens, body);
                if (!add(list,
                         (rk_source_function){ name, token->line, declaration, i + 1, close, body, end }))
                    return RK_OUT_OF_MEMORY;
                i = end;
            } else {
                i = close;
            }
        }
    }
    return RK_OK;
}

void rk_function_list_free(rk_function_list *list)
{
    free(list->function);
    *list = (rk_function_list){ .count = 0 };
}

bool rk_is_plain_name(const rk_tokens *tokens, size_t token)
{
    if (tokens->token[token].kind != RK_TOKEN_NAME) return false;
    return token == 0 ||
           (!rk_token_is(&tokens->token[token - 1], ".") && !rk_token_is(&tokens->token[token - 1], "->"));
}

const rk_source_function *rk_called_function(const rk_scan *scan, const rk_function_list *list, size_t token)
{
    if (!rk_is_plain_name(&scan->tokens, token) || !rk_token_is(&scan->tokens.token[token + 1], "("))
        return NULL;
    for (rk_u32 f = 0; f < list->count; f++)
        if (list->function[f].declaration == NULL &&
            rk_slice_equal(list->function[f].name, scan->tokens.token[token].slice))
            return &list->function[f];
    return NULL;
}
