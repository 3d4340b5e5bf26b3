#pragma once

/* How the answers of `ovl2` look. JSON is the form they are collected in. */

#include <ovl2.h>

#include <jansson.h>

/* jansson takes UTF-8 only and a path is any bytes: others as \xNN. */
json_t *json_of_bytes(const char *text);

/* Collects into the json array `data`. */
int collect_layer(void *data, const struct ovl2_layer_info *layer);
int collect_fact(void *data, const struct ovl2_fact *fact);
int print_change_json(void *data, const struct ovl2_change *change);

int collect_problem(void *data, const struct ovl2_problem *problem);

/* "C /etc/passwd" */
int print_change(void *data, const struct ovl2_change *change);

/* A tree of layers, each under its parent, with columns. */
void print_layers(json_t *layers);

/* One block a problem: layer, what is wrong, what is to be done or was. */
void print_problems(json_t *problems);

/* Key and value, and with `with_how` how it was found. */
void print_facts(json_t *facts, int with_how);

/* {"key": "value"}; releases `facts`. */
json_t *facts_as_object(json_t *facts);
