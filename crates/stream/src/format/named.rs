//! Patterns that have a name.

/// Names and patterns of what many producers write.
///
/// - `apache_common`, `apache_combined`: httpd's `LogFormat` of these names (Apache HTTP Server, mod_log_config).
/// - `nginx_combined`: nginx's predefined `log_format combined` (ngx_http_log_module).
/// - `vpc_flow_logs`: the default format, version 2 (Amazon VPC user guide, Flow log records).
pub const NAMED_PATTERNS: [(&str, &str); 4] = [
    ("apache_common", "{host} {ident} {user} [{time}] \"{request}\" {status} {bytes}"),
    ("apache_combined", "{host} {ident} {user} [{time}] \"{request}\" {status} {bytes} \"{referer}\" \"{agent}\""),
    ("nginx_combined", "{host} - {user} [{time}] \"{request}\" {status} {bytes} \"{referer}\" \"{agent}\""),
    (
        "vpc_flow_logs",
        "{version} {account} {interface} {srcaddr} {dstaddr} {srcport} {dstport} {protocol} {packets} {bytes} {start} {end} \
         {action} {status}",
    ),
];
