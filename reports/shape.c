#include "shape.h"

#include "fail.h"
#include "strbuf.h"

#include <string.h>

static const struct {
	unsigned int type;
	const char *name;
} type_names[] = {
	{ REPORT_STRING, "a string" },
	{ REPORT_NUMBER, "a number" },
	{ REPORT_AMOUNT, "a number not below zero" },
	{ REPORT_BOOLEAN, "true or false" },
	{ REPORT_OBJECT, "an object" },
	{ REPORT_ARRAY, "an array" },
	{ REPORT_NULL, "null" },
};

static unsigned int type_of(const json_t *value)
{
	switch (json_typeof(value)) {
	case JSON_STRING:
		return REPORT_STRING;
	case JSON_INTEGER:
	case JSON_REAL:
		return json_number_value(value) < 0 ? REPORT_NUMBER : REPORT_NUMBER | REPORT_AMOUNT;
	case JSON_TRUE:
	case JSON_FALSE:
		return REPORT_BOOLEAN;
	case JSON_OBJECT:
		return REPORT_OBJECT;
	case JSON_ARRAY:
		return REPORT_ARRAY;
	default:
		return REPORT_NULL;
	}
}

static void add_type_names(struct ovi_strbuf *text, unsigned int types)
{
	const char *separator = "";

	for (size_t i = 0; i < sizeof(type_names) / sizeof(type_names[0]); i++) {
		if (!(types & type_names[i].type))
			continue;
		ovi_strbuf_addf(text, "%s%s", separator, type_names[i].name);
		separator = " or ";
	}
}

static int fail_type(struct ovl2_error *err, const char *path, unsigned int types,
                     const json_t *found)
{
	unsigned int type = type_of(found);
	cleanup_strbuf struct ovi_strbuf text = { 0 };

	ovi_strbuf_addf(&text, "%s: expected ", path);
	add_type_names(&text, types);
	ovi_strbuf_add(&text, ", found ");
	if (type & REPORT_NUMBER)
		ovi_strbuf_addf(&text, "%.17g", json_number_value(found));
	else
		add_type_names(&text, type);
	if (ovi_strbuf_failed(&text))
		return ovi_fail_memory(err);

	return ovi_fail(err, OVL2_E_INVALID, "%s", text.text);
}

static int check_word(const char *word, const struct report_field *field, const char *path,
                      struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf list = { 0 };

	for (const char *const *known = field->words; *known; known++) {
		if (strcmp(word, *known) == 0)
			return 0;
		ovi_strbuf_addf(&list, "%s'%s'", list.length ? ", " : "", *known);
	}
	if (ovi_strbuf_failed(&list))
		return ovi_fail_memory(err);

	return ovi_fail(err, OVL2_E_INVALID, "%s: expected one of %s, found '%.60s'", path,
	                list.text, word);
}

static int check_fields(const json_t *object, const struct report_field *fields,
                        struct ovi_strbuf *path, struct ovl2_error *err);

static int check_element(const json_t *value, const struct report_field *field,
                         struct ovi_strbuf *path, struct ovl2_error *err)
{
	if (ovi_strbuf_failed(path))
		return ovi_fail_memory(err);
	if (field->element && !(type_of(value) & field->element))
		return fail_type(err, path->text, field->element, value);
	if (field->fields && json_is_object(value))
		return check_fields(value, field->fields, path, err);

	return 0;
}

static int check_array(json_t *array, const struct report_field *field, struct ovi_strbuf *path,
                       struct ovl2_error *err)
{
	size_t length = path->length;
	json_t *value;
	size_t i;
	int r;

	json_array_foreach(array, i, value)
	{
		ovi_strbuf_addf(path, "[%zu]", i);
		r = check_element(value, field, path, err);
		if (r < 0)
			return r;
		ovi_strbuf_cut(path, length);
	}

	return 0;
}

/* An object used as a map: its members' names are data. */
static int check_members(json_t *object, const struct report_field *field, struct ovi_strbuf *path,
                         struct ovl2_error *err)
{
	size_t length = path->length;
	const char *name;
	json_t *value;
	int r;

	json_object_foreach(object, name, value)
	{
		ovi_strbuf_addf(path, ".%.60s", name);
		r = check_element(value, field, path, err);
		if (r < 0)
			return r;
		ovi_strbuf_cut(path, length);
	}

	return 0;
}

static int check_value(json_t *value, const struct report_field *field, struct ovi_strbuf *path,
                       struct ovl2_error *err)
{
	if (!(type_of(value) & field->types))
		return fail_type(err, path->text, field->types & ~(unsigned int)REPORT_OPTIONAL,
		                 value);
	if (field->words && json_is_string(value))
		return check_word(json_string_value(value), field, path->text, err);
	if (json_is_array(value))
		return check_array(value, field, path, err);
	if (json_is_object(value) && field->fields)
		return check_fields(value, field->fields, path, err);
	if (json_is_object(value))
		return check_members(value, field, path, err);

	return 0;
}

static int check_fields(const json_t *object, const struct report_field *fields,
                        struct ovi_strbuf *path, struct ovl2_error *err)
{
	size_t length = path->length;
	int r;

	for (const struct report_field *field = fields; field->name; field++) {
		json_t *value = json_object_get(object, field->name);

		ovi_strbuf_addf(path, "%s%s", length ? "." : "", field->name);
		if (ovi_strbuf_failed(path))
			return ovi_fail_memory(err);
		if (!value && !(field->types & REPORT_OPTIONAL))
			return ovi_fail(err, OVL2_E_INVALID, "%s: missing", path->text);

		r = value ? check_value(value, field, path, err) : 0;
		if (r < 0)
			return r;
		ovi_strbuf_cut(path, length);
	}

	return 0;
}

int report_shape_check(const json_t *object, const struct report_field *fields,
                       struct ovl2_error *err)
{
	cleanup_strbuf struct ovi_strbuf path = { 0 };

	return check_fields(object, fields, &path, err);
}
