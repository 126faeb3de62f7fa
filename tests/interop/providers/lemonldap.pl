# LemonLDAP::NG's portal (Debian) as an OpenID provider. It publishes one key, so that a new one takes the place of the old one.

use strict;
use warnings;
use JSON;
use Plack::Runner;

my ( $state, $issuer, $root ) = @ENV{qw(STATE ISSUER ROOT)};
my ($number) = split /,/, $ENV{KEYS};

sub content {
    my ($path) = @_;
    open my $file, '<', $path or die "$path: $!";
    local $/;
    return scalar <$file>;
}

sub write_file {
    my ( $path, $text ) = @_;
    open my $file, '>', $path or die "$path: $!";
    print $file $text;
    close $file or die "$path: $!";
}

my $key = "$state/key$number.pem";
if ( !-e $key ) {
    system( qw(openssl genrsa -out), $key, 2048 ) == 0 or die 'no key';
    system( qw(openssl rsa -pubout -in), $key, '-out', "$key.pub" ) == 0 or die 'no public key';
}

mkdir "$state/$_" for qw(conf cache sessions persistent);
my %sessions = ( Directory => "$state/sessions", LockDirectory => "$state/sessions", generateModule => 'Lemonldap::NG::Common::Apache::Session::Generate::SHA256' );
my %clients;
for ( [ 'robot', 'https://api.example' ], [ 'other', 'https://other.example' ] ) {
    my ( $name, $audience ) = @$_;
    $clients{$name} = {
        oidcRPMetaDataOptionsClientID => $name,
        oidcRPMetaDataOptionsClientSecret => "of-$name",
        oidcRPMetaDataOptionsAllowClientCredentialsGrant => 1,
        oidcRPMetaDataOptionsAccessTokenJWT => 1,
        oidcRPMetaDataOptionsAccessTokenSignAlg => 'RS256',
        oidcRPMetaDataOptionsAdditionalAudiences => $audience,
    };
}
write_file(
    "$state/conf/lmConf-1.json",
    encode_json(
        {
            cfgNum => 1,
            cfgDate => time,
            cfgVersion => '2.16.1',
            portal => "$issuer/",
            domain => '127.0.0.1',
            locationRules => { 'unused.example' => { default => 'deny' } },
            key => 'encrypts cookies',
            authentication => 'Demo',
            userDB => 'Same',
            passwordDB => 'Demo',
            registerDB => 'Null',
            captcha => 'NoCaptcha',
            globalStorage => 'Apache::Session::File',
            globalStorageOptions => \%sessions,
            persistentStorage => 'Apache::Session::File',
            persistentStorageOptions => { %sessions, Directory => "$state/persistent", LockDirectory => "$state/persistent" },
            issuerDBOpenIDConnectActivation => 1,
            oidcServiceMetaDataIssuer => $issuer,
            oidcServicePrivateKeySig => content($key),
            oidcServicePublicKeySig => content("$key.pub"),
            oidcServiceKeyIdSig => "key $number",
            oidcRPMetaDataOptions => \%clients,
            oidcRPMetaDataExportedVars => { map { $_ => {} } keys %clients },
        }
    )
);
write_file( "$state/lemonldap-ng.ini", <<"INI" );
[all]
logLevel = warn
[configuration]
type = File
dirName = $state/conf
localStorage = Cache::FileCache
localStorageOptions = { 'namespace' => 'lemonldap-ng-config', 'cache_root' => '$state/cache', 'cache_depth' => 1 }
[portal]
staticPrefix = /static
templateDir = $root/usr/share/lemonldap-ng/portal/templates
languages = en
INI
$ENV{LLNG_DEFAULTCONFFILE} = "$state/lemonldap-ng.ini";

# The portal's own wants ImageMagick, to draw pictures that no form here shows.
{
    package NoCaptcha;
    use Mouse;
    extends 'Lemonldap::NG::Portal::Main::Plugin';
    sub init { return 1 }
}
$INC{'NoCaptcha.pm'} = __FILE__;

require Lemonldap::NG::Portal::Main;
my $portal = Lemonldap::NG::Portal::Main->run( {} );
my $runner = Plack::Runner->new;
$runner->parse_options( '--server', 'HTTP::Server::PSGI', '--env', 'deployment', '--host', '127.0.0.1', '--port', $ENV{PORT} );
$runner->run($portal);
