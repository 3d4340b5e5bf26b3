#include "support/test.h"

#include "svg.h"

/* As gnuplot 5.4 writes it, cut down to what is edited. */
static const char drawing[] =
	"<?xml version=\"1.0\"?>\n<svg \n viewBox=\"0 0 8 4\"\n "
	"xmlns:xlink=\"http://www.w3.org/1999/xlink\"\n>\n"
	"<title>Gnuplot</title>\n<desc>Produced by GNUPLOT 5.4 patchlevel 4 </desc>\n"
	"<g id=\"gnuplot_canvas\">\n<circle id='gpDot' r='0.5'/>\n"
	"<use xlink:href='#gpDot' filter='url(#box)'/>\n"
	"<g><title>gnuplot_plot_1</title></g><g><title>absolute</title></g>\n"
	"<text>one id='x' in a label</text></g>\n</svg>\n";

static void names_are_the_drawings_own(void **state)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };

	(void)state;
	assert_int_equal(report_add_svg(&page, drawing, "p1", "A & B", "What it shows"), 0);
	assert_contains(page.text, "<g id=\"p1-gnuplot_canvas\">");
	assert_contains(page.text, "<circle id='p1-gpDot'");
	assert_contains(page.text, "<use href='#p1-gpDot' filter='url(#p1-box)'/>");
	assert_contains(page.text, "<text>one id='x' in a label</text>");
}

static void drawing_says_what_it_is(void **state)
{
	cleanup_strbuf struct ovi_strbuf page = { 0 };

	(void)state;
	assert_int_equal(report_add_svg(&page, drawing, "p1", "A & B", "What it shows"), 0);
	assert_contains(page.text, "viewBox=\"0 0 8 4\" role=\"img\" "
	                           "aria-labelledby=\"p1-title p1-desc\"");
	assert_contains(page.text, "<title id=\"p1-title\">A &amp; B</title>");
	assert_contains(page.text, "<desc id=\"p1-desc\">What it shows</desc>");
	assert_contains(page.text, "<title>absolute</title>");
	assert_null(strstr(page.text, "gnuplot_plot_1"));
	assert_null(strstr(page.text, "GNUPLOT"));
	assert_null(strstr(page.text, "<?xml"));
}

/* gnuplot defines all it might use, and opens a group for each change of colour. */
static void what_draws_nothing_is_left_out(void **state)
{
	static const char text[] =
		"<svg viewBox=\"0 0 8 4\"><title>Gnuplot</title><desc>Produced by GNUPLOT</desc>"
		"<defs>\n\t<circle id='used' r='1'/>\n\t<circle id='unused' r='1'/>\n"
		"<filter id='box' x='0'><feFlood/></filter></defs>"
		"<g id='empty' fill=\"none\">\n</g><g id='full'><use xlink:href='#used'/></g></svg>";
	cleanup_strbuf struct ovi_strbuf page = { 0 };

	(void)state;
	assert_int_equal(report_add_svg(&page, text, "p1", "t", "d"), 0);
	assert_contains(page.text, "<circle id='p1-used' r='1'/>");
	assert_contains(page.text, "<g id='p1-full'><use href='#p1-used'/></g>");
	assert_null(strstr(page.text, "unused"));
	assert_null(strstr(page.text, "filter"));
	assert_null(strstr(page.text, "empty"));
}

/* What stands on every group stands around them all; the rest of a group stays. */
static void what_all_groups_say_is_said_once(void **state)
{
	static const char text[] =
		"<svg viewBox=\"0 0 8 4\"><desc></desc>"
		"<rect x=\"0\" y=\"0\" width=\"8\" height=\"4\" fill=\"none\"/>"
		"<g fill=\"none\" color=\"black\" stroke=\"currentColor\" stroke-width=\"2.00\" "
		"stroke-linecap=\"round\" stroke-linejoin=\"round\"><path d='M0,0'/></g>"
		"<g fill=\"none\" color=\"rgb(  1,   1,   1)\" stroke=\"currentColor\">"
		"<text> fill=\"none\"</text></g></svg>";
	cleanup_strbuf struct ovi_strbuf page = { 0 };

	(void)state;
	assert_int_equal(report_add_svg(&page, text, "p1", "t", "d"), 0);
	assert_contains(page.text, "class=\"plot\" fill=\"none\" color=\"black\" "
	                           "stroke=\"currentColor\" stroke-linecap=\"round\"");
	assert_null(strstr(page.text, "<rect"));
	assert_contains(page.text, "<g stroke-width=\"2.00\"><path d='M0,0'/></g>");
	assert_contains(page.text, "<g color=\"rgb(  1,   1,   1)\"><text> fill=\"none\"</text>");
}

static void something_else_is_refused(void **state)
{
	static const char *const others[] = { "", "<svg viewBox=\"0 0 1 1\">", "no drawing",
		                              "<svg viewBox=\"0 0 1 1\"><desc></desc><g>" };
	cleanup_strbuf struct ovi_strbuf page = { 0 };

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_int_equal(report_add_svg(&page, others[i], "p1", "t", "d"), -1);
	assert_int_equal(page.length, 0);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_the_drawings_own),
		cmocka_unit_test(drawing_says_what_it_is),
		cmocka_unit_test(what_draws_nothing_is_left_out),
		cmocka_unit_test(what_all_groups_say_is_said_once),
		cmocka_unit_test(something_else_is_refused),
	};

	return test_run("svg", tests, ARRAY_SIZE(tests), argc, argv);
}
