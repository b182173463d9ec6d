# What a box sees of the file system. Runs as root in namespaces that are the box's own, before the user is taken on:
#
#   box.pl [--temporary=BYTES] [--writable=FOLDER]... [--group=FILE]... -- COMMAND...
#
# Whoever runs in the box can write in the named folders, as far as their modes allow it, in a /tmp, a /var/tmp and a
# /dev/shm of its own, and nowhere else: not where everybody may write either, since the next box of the same user
# would find it there. A named folder may lie in one that comes before it. In the folders
# for temporary files it sees those that root has made, which no other user can have put there: reeve's own folder may
# be one. `--temporary`: how much each of the three may hold; without, none of this happens. `--group`: a control
# group that it joins, by its cgroup.procs.
#
# By system calls whose numbers are the same on every architecture, since Linux 5.12: a copy of a mount is taken, told
# what it allows, and laid where it belongs, all by descriptors.
# No module: those for the current folder and for modes take four times as long to load as Perl to start, and a build
# has several boxes.
use strict;

use constant {
    OPEN_TREE     => 428,
    MOVE_MOUNT    => 429,
    FSOPEN        => 430,
    FSCONFIG      => 431,
    FSMOUNT       => 432,
    MOUNT_SETATTR => 442,
    HERE          => -100,          # AT_FDCWD
    RECURSIVE     => 0x8000,
    NO_FOLLOW     => 0x100,
    CLOSE_ON_EXEC => 0x80000,
    CLONE         => 0x80000 | 1,
    FROM_EMPTY    => 4,             # move_mount: the descriptor itself
    SET_FLAG      => 0,
    SET_STRING    => 1,
    CREATE        => 6,
    READ_ONLY     => 1,
    NO_SUID_DEV   => 2 | 4,
    FORMAT        => 0170000,       # inode(7)
    FOLDER        => 0040000,
};

my @temporary = ('/tmp', '/var/tmp', '/dev/shm');
my $most_files = 100_000;

sub call {
    my ($number, @arguments) = @_;
    # A variable is passed as what it was last used for: a number, or the address of its text.
    my $result = syscall($number, @arguments);
    die "box: system call $number: $!\n" if $result < 0;
    return $result;
}

sub copy_of {
    my ($path) = @_;
    return call(OPEN_TREE, HERE, $path, CLONE | RECURSIVE);
}

sub lay {
    my ($mount, $path) = @_;
    my $itself = '';
    call(MOVE_MOUNT, $mount, $itself, HERE, $path, FROM_EMPTY);
}

sub set {
    my ($path, $recursive, $set, $clear) = @_;
    my $attributes = pack('Q4', $set, $clear, 0, 0);
    call(MOUNT_SETATTR, HERE, $path, $recursive, $attributes, length $attributes);
}

sub new_temporary {
    my ($bytes) = @_;
    my ($type, $nothing) = ('tmpfs', 0);
    my $file_system = call(FSOPEN, $type, 1);
    my %options = (size => "$bytes", nr_inodes => "$most_files", mode => '1777');
    while (my ($name, $value) = each %options) {
        my ($key, $text) = ("$name", "$value");
        call(FSCONFIG, $file_system, SET_STRING, $key, $text, 0);
    }
    call(FSCONFIG, $file_system, CREATE, $nothing, $nothing, 0);
    my $mount = call(FSMOUNT, $file_system, 1, NO_SUID_DEV);
    close_number($file_system);
    return $mount;
}

# Hides a folder behind an empty one, in which those stay to be seen that root made, or in which one is to be written.
sub hide {
    my ($folder, $bytes, @writable) = @_;
    opendir(my $list, $folder) or die "box: $folder: $!\n";
    my @names;
    # Of others there may be any number: a copy of a mount takes fifty times as long as a look.
    while (defined(my $name = readdir $list)) {
        next if $name =~ /^\.\.?$/;
        push @names, $name if is_shown("$folder/$name", (lstat "$folder/$name")[2, 4], @writable);
    }
    my $itself = '';
    my $hidden = call(OPEN_TREE, HERE, $folder, CLOSE_ON_EXEC);
    my $new = new_temporary($bytes);
    lay($new, $folder);
    for my $name (@names) {
        my $copy = syscall(OPEN_TREE, $hidden, $name, CLONE | RECURSIVE | NO_FOLLOW);
        # It went in this moment.
        next if $copy < 0;
        my $path = "$folder/$name";
        # It may be another one by now.
        if (is_shown($path, (stat "/proc/self/fd/$copy")[2, 4], @writable)) {
            mkdir $path, 0755 or die "box: $path: $!\n";
            # The same: what was removed is laid nowhere.
            rmdir $path if syscall(MOVE_MOUNT, $copy, $itself, HERE, $path, FROM_EMPTY) < 0;
        }
        close_number($copy);
    }
    close_number($_) for $new, $hidden;
}

sub is_shown {
    my ($path, $mode, $owner, @writable) = @_;
    return 0 if !defined $mode || ($mode & FORMAT) != FOLDER;
    return $owner == 0 && !($mode & 0022) || grep { index("$_/", "$path/") == 0 } @writable;
}

sub close_number {
    my ($number) = @_;
    open(my $handle, '<&=', $number) or die "box: descriptor $number: $!\n";
    close $handle;
}

sub furnish {
    my ($bytes, @writable) = @_;
    my %own = map { $_ => copy_of($_) } @writable;
    my @folders = grep { -d } @temporary;
    hide($_, $bytes, @writable) for @folders;
    set('/', RECURSIVE, READ_ONLY, 0);
    set($_, 0, 0, READ_ONLY) for '/proc', @folders;
    lay($own{$_}, $_) for @writable;
}

my ($bytes, @writable, @groups);
while (defined(my $word = shift @ARGV)) {
    last if $word eq '--';
    if    ($word =~ /^--temporary=(\d+)$/) { $bytes = $1 }
    elsif ($word =~ /^--writable=(.+)$/s)  { push @writable, $1 }
    elsif ($word =~ /^--group=(.+)$/s)     { push @groups, $1 }
    else                                   { die "box: $word is not known\n" }
}
my $folder = readlink '/proc/self/cwd';
for my $group (@groups) {
    open(my $processes, '>', $group) or die "box: $group: $!\n";
    print {$processes} "0\n";
    close $processes or die "box: $group: $!\n";
}
furnish($bytes, @writable) if defined $bytes;
# The one it stands in is still of the mount before.
chdir $folder or die "box: $folder: $!\n";
exec { $ARGV[0] } @ARGV or die "box: $ARGV[0]: $!\n";
