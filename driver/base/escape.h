#pragma once

/* Text from elsewhere, made harmless. It has to be valid UTF-8, as all JSON is. */

#include "strbuf.h"

/*
 * Adds text that may hold anything as XML character data or attribute value. What
 * XML forbids, and marks that change the direction of text, become U+FFFD.
 */
void ovi_escape_xml(struct ovi_strbuf *buf, const char *text);

/* Adds text for a terminal: control characters become '?', line breaks stay. */
void ovi_escape_controls(struct ovi_strbuf *buf, const char *text);
