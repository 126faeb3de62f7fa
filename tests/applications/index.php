<?php
// PHP, behind nginx by FastCGI, and on PHP's own server. Headers are what CGI folds them to, and PHP after it.
$paths = [parse_url($_SERVER['REQUEST_URI'], PHP_URL_PATH)];
$host = $_SERVER['HTTP_HOST'] ?? '';
$paths[] = parse_url("http://$host{$_SERVER['REQUEST_URI']}", PHP_URL_PATH);
foreach (['PATH_INFO', 'DOCUMENT_URI'] as $name) {
    $paths[] = $_SERVER[$name] ?? null;
}
$headers = [];
foreach ($_SERVER as $name => $value) {
    if (str_starts_with($name, 'HTTP_')) {
        $headers[] = [$name, $value];
    }
}
// What parse_url cannot parse is no path: the application would answer with an error.
$body = json_encode(
    ['paths' => array_values(array_filter($paths, 'is_string')), 'headers' => $headers],
    JSON_INVALID_UTF8_SUBSTITUTE
);
header('Content-Length: ' . strlen($body));
echo $body;
