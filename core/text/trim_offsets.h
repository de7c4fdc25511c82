/* What RobertaProcessing and ByteLevel do to offsets: the spaces that a token begins and ends with
 * are not part of it. */
#ifndef SEMBED_TEXT_TRIM_OFFSETS_H
#define SEMBED_TEXT_TRIM_OFFSETS_H

#include "core/text/aligned_text.h"

/*
 * Takes as many characters of text (valid UTF-8) off each end of span as token[length] has spaces
 * there, white space or "Ġ". With add_prefix_space, one space at the front of a token that is the
 * first of its sequence or begins where the text does was added, and stays.
 *
 * Source: process_offsets in the library's pre_tokenizers/byte_level.rs, which counts characters.
 */
void trim_offsets(const char *text, const char *token, size_t length, bool is_first,
                  bool add_prefix_space, struct span *span);

#endif
