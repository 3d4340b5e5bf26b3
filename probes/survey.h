#pragma once

/* What the parts of a survey share: running it, reading it from a document. */

#include "probe.h"

/* What a survey read from a document points to. NULL is fine. */
void survey_free_loaded(struct probe_loaded *loaded);

/* Sets the verdicts, their counts and the conclusion by answers, needs and waivers. */
void survey_judge(struct probe_survey *survey);

/* Makes one line of UTF-8 of it, whatever bytes a path or the kernel brought. */
void survey_tidy(char *text);

/* Reads JSON from file `path`, or standard input when that is "-". */
int document_read(const char *path, json_t **ret_document, struct ovl2_error *err);
