#include "print.h"

#include <libsmartcols.h>
#include <stdio.h>
#include <string.h>

json_t *json_of_bytes(const char *text)
{
	json_t *value = json_string(text);
	char *escaped;
	char *at;

	if (value)
		return value;

	escaped = malloc(4 * strlen(text) + 1);
	if (!escaped)
		return NULL;
	for (at = escaped; *text; text++) {
		if ((unsigned char)*text < 0x80)
			*at++ = *text;
		else
			at += sprintf(at, "\\x%02x", (unsigned char)*text);
	}
	*at = '\0';
	value = json_string(escaped);
	free(escaped);

	return value;
}

int collect_layer(void *data, const struct ovl2_layer_info *layer)
{
	json_t *parent = layer->parent ? json_string(layer->parent) : json_null();

	json_array_append_new(data, json_pack("{ss so si si sb sb sb}", "id", layer->id, "parent",
	                                      parent, "depth", (int)layer->depth, "mounts",
	                                      (int)layer->mount_count, "read_write",
	                                      layer->is_read_write, "committed",
	                                      layer->is_committed, "foreign", layer->is_foreign));

	return 0;
}

int collect_fact(void *data, const struct ovl2_fact *fact)
{
	json_array_append_new(data, json_pack("{ss so so}", "key", fact->key, "value",
	                                      json_of_bytes(fact->value), "how",
	                                      fact->how ? json_of_bytes(fact->how) : json_null()));

	return 0;
}

int collect_problem(void *data, const struct ovl2_problem *problem)
{
	json_array_append_new(
		data, json_pack("{ss so so so sb}", "kind", problem->kind, "id",
	                        problem->id ? json_string(problem->id) : json_null(), "text",
	                        json_of_bytes(problem->text), "remedy",
	                        problem->remedy ? json_of_bytes(problem->remedy) : json_null(),
	                        "repaired", problem->is_repaired));

	return 0;
}

static const char letters[] = {
	[OVL2_CHANGE_MODIFY] = 'C',
	[OVL2_CHANGE_ADD] = 'A',
	[OVL2_CHANGE_DELETE] = 'D',
};

int print_change_json(void *data, const struct ovl2_change *change)
{
	const char kind[2] = { letters[change->kind], '\0' };

	json_array_append_new(
		data, json_pack("{ss so}", "kind", kind, "path", json_of_bytes(change->path)));

	return 0;
}

int print_change(void *data, const struct ovl2_change *change)
{
	(void)data;

	/* Names are anybody's: what could drive a terminal is shown as an octal escape. */
	printf("%c ", letters[change->kind]);
	for (const char *at = change->path; *at; at++) {
		unsigned char byte = (unsigned char)*at;

		if (byte < ' ' || byte == 0x7f || byte == '\\')
			printf("\\%03o", byte);
		else
			putchar(byte);
	}
	putchar('\n');

	return ferror(stdout);
}

/* ------------------------------------------------------------------- layers -- */

static const char *text_of(json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static const char *state_of(json_t *layer)
{
	if (json_is_true(json_object_get(layer, "committed")))
		return "committed";

	return json_is_true(json_object_get(layer, "read_write")) ? "read-write" : "open";
}

static void fill_line(struct libscols_line *line, json_t *layer)
{
	char number[32];

	scols_line_set_data(line, 0, text_of(layer, "id"));
	snprintf(number, sizeof(number), "%lld",
	         json_integer_value(json_object_get(layer, "depth")));
	scols_line_set_data(line, 1, number);
	scols_line_set_data(line, 2, state_of(layer));
	snprintf(number, sizeof(number), "%lld",
	         json_integer_value(json_object_get(layer, "mounts")));
	scols_line_set_data(line, 3, number);
	scols_line_set_data(line, 4,
	                    json_is_true(json_object_get(layer, "foreign")) ? "docker" : "ovl2");
}

/* Parents have a smaller depth than their children, so: by depth, then under them. */
static void add_lines(struct libscols_table *table, json_t *layers)
{
	json_t *lines = json_object();
	size_t left = json_array_size(layers);
	size_t i;
	json_t *layer;

	for (json_int_t depth = 0; left > 0 && depth <= 500; depth++) {
		json_array_foreach(layers, i, layer)
		{
			struct libscols_line *above = NULL;
			struct libscols_line *line;
			json_t *handle;

			if (json_integer_value(json_object_get(layer, "depth")) != depth)
				continue;
			handle = json_object_get(lines, text_of(layer, "parent"));
			if (handle)
				above = scols_table_get_line(table,
				                             (size_t)json_integer_value(handle));
			line = scols_table_new_line(table, above);
			if (line)
				fill_line(line, layer);
			json_object_set_new(
				lines, text_of(layer, "id"),
				json_integer((json_int_t)(scols_table_get_nlines(table) - 1)));
			left--;
		}
	}
	json_decref(lines);
}

void print_layers(json_t *layers)
{
	struct libscols_table *table = scols_new_table();

	if (!table)
		return;
	scols_table_new_column(table, "LAYER", 0, SCOLS_FL_TREE | SCOLS_FL_NOEXTREMES);
	scols_table_new_column(table, "DEPTH", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "STATE", 0, 0);
	scols_table_new_column(table, "MOUNTS", 0, SCOLS_FL_RIGHT);
	scols_table_new_column(table, "MADE BY", 0, 0);
	add_lines(table, layers);
	scols_print_table(table);
	scols_unref_table(table);
}

/* ----------------------------------------------------------------- problems -- */

/* Damaged files hold any bytes, and texts quote them. */
static void print_text(const char *text)
{
	for (; *text; text++) {
		unsigned char byte = (unsigned char)*text;

		if (byte < ' ' || byte == 0x7f)
			printf("\\%03o", byte);
		else
			putchar(byte);
	}
}

void print_problems(json_t *problems)
{
	size_t i;
	json_t *problem;

	json_array_foreach(problems, i, problem)
	{
		const char *id = text_of(problem, "id");
		const char *remedy = text_of(problem, "remedy");

		printf("%s%s%s: ", *id ? "layer '" : "store", id, *id ? "'" : "");
		print_text(text_of(problem, "text"));
		printf("\n    %s: %s\n",
		       json_is_true(json_object_get(problem, "repaired")) ? "repaired" : "to do",
		       *remedy ? remedy : "nothing that repair could do; make the layer anew");
	}
}

/* -------------------------------------------------------------------- facts -- */

void print_facts(json_t *facts, int with_how)
{
	struct libscols_table *table = scols_new_table();
	size_t i;
	json_t *fact;

	if (!table)
		return;
	scols_table_enable_noheadings(table, 1);
	scols_table_new_column(table, "KEY", 0, 0);
	scols_table_new_column(table, "VALUE", 0, 0);
	if (with_how)
		scols_table_new_column(table, "HOW", 0, SCOLS_FL_TRUNC);
	json_array_foreach(facts, i, fact)
	{
		struct libscols_line *line = scols_table_new_line(table, NULL);

		if (!line)
			break;
		scols_line_set_data(line, 0, text_of(fact, "key"));
		scols_line_set_data(line, 1, text_of(fact, "value"));
		if (with_how)
			scols_line_set_data(line, 2, text_of(fact, "how"));
	}
	scols_print_table(table);
	scols_unref_table(table);
}

json_t *facts_as_object(json_t *facts)
{
	json_t *object = json_object();
	size_t i;
	json_t *fact;

	json_array_foreach(facts, i, fact)
		json_object_set(object, text_of(fact, "key"), json_object_get(fact, "value"));
	json_decref(facts);

	return object;
}
